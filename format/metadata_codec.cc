// SPDX-License-Identifier: Apache-2.0
#include "format/metadata_codec.h"

#include <algorithm>
#include <bit>
#include <concepts>
#include <protozero/basic_pbf_writer.hpp>
#include <protozero/buffer_string.hpp>
#include <protozero/pbf_reader.hpp>
#include <stdexcept>
#include <string>

#include "format/metadata_fields.h"

namespace spyglass::format {
namespace {

using PbfReader = protozero::pbf_reader;
using PbfWriter = protozero::basic_pbf_writer<std::string>;

// More than any command line or path that a kernel takes; what is longer is hostile.
constexpr std::size_t kMaxStringBytes = 1U << 20U;
constexpr std::size_t kMaxListEntries = 1U << 20U;

// Numbers, strings and lists at their default (0, empty) are left out.
class FieldWriter {
 public:
  explicit FieldWriter(PbfWriter& out) : out_(out) {}

  template <std::unsigned_integral Number>  // bool among them
  void operator()(std::uint32_t field, const char* /*name*/, Number value) const {
    if (value != 0) {
      out_.add_uint64(field, value);
    }
  }
  // Enums are always there: their default is not 0 everywhere.
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(std::uint32_t field, const char* /*name*/, Enum value) const {
    out_.add_uint64(field, static_cast<std::uint64_t>(value));
  }
  void operator()(std::uint32_t field, const char* /*name*/, double value) const {
    if (std::bit_cast<std::uint64_t>(value) != 0) {
      out_.add_double(field, value);
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, const std::string& value) const {
    if (!value.empty()) {
      add_text(field, value);
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/,
                  const std::vector<std::string>& values) const {
    for (const std::string& value : values) {
      add_text(field, value);
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, const Bytes& value) const {
    if (!value.empty()) {
      out_.add_bytes(field, reinterpret_cast<const char*>(value.data()), value.size());
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, const ClockSample& sample) const {
    message(field, sample);
  }
  template <typename Record>
  void operator()(std::uint32_t field, const char* /*name*/,
                  const std::vector<Record>& list) const {
    for (const Record& record : list) {
      message(field, record);
    }
  }

  template <typename Record>
  void message(std::uint32_t field, const Record& record) const {
    // Built apart: a writer nested in `out_` would drop a message that has no fields, and with it
    // an entry of a list.
    std::string bytes;
    PbfWriter inner(bytes);
    visit_fields(FieldWriter(inner), record);
    out_.add_message(field, bytes);
  }

 private:
  void add_text(std::uint32_t field, const std::string& value) const {
    out_.add_string(field, value.data(), std::min(value.size(), kMaxStringBytes));
  }

  PbfWriter& out_;
};

template <typename Record>
void read_message(PbfReader in, Record& record);

// Offered every field of a record in turn, takes the one that `in` stands at. Throws when it is not
// what the record expects.
class FieldReader {
 public:
  explicit FieldReader(PbfReader& in) : in_(in), field_(in.tag()) {}

  bool taken() const { return taken_; }

  void operator()(std::uint32_t field, const char* /*name*/, std::uint64_t& out) {
    if (take(field, protozero::pbf_wire_type::varint)) {
      out = in_.get_uint64();
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, std::uint32_t& out) {
    if (take(field, protozero::pbf_wire_type::varint)) {
      out = number32();
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, bool& out) {
    if (take(field, protozero::pbf_wire_type::varint)) {
      out = in_.get_uint64() != 0;
    }
  }
  template <typename Enum>
  requires std::is_enum_v<Enum>
  void operator()(std::uint32_t field, const char* /*name*/, Enum& out) {
    if (take(field, protozero::pbf_wire_type::varint)) {
      out = static_cast<Enum>(number32());
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, double& out) {
    if (take(field, protozero::pbf_wire_type::fixed64)) {
      out = in_.get_double();
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, std::string& out) {
    if (take(field, protozero::pbf_wire_type::length_delimited)) {
      const protozero::data_view view = short_view();
      out.assign(view.data(), view.size());
    }
  }
  void operator()(std::uint32_t field, const char* name, std::vector<std::string>& out) {
    if (field == field_) {
      (*this)(field, name, next_entry(out));
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, Bytes& out) {
    if (take(field, protozero::pbf_wire_type::length_delimited)) {
      const protozero::data_view view = short_view();
      out.assign(view.data(), view.data() + view.size());
    }
  }
  void operator()(std::uint32_t field, const char* /*name*/, ClockSample& out) {
    message(field, out);
  }
  template <typename Record>
  void operator()(std::uint32_t field, const char* /*name*/, std::vector<Record>& out) {
    if (field == field_) {
      message(field, next_entry(out));
    }
  }

 private:
  template <typename Record>
  void message(std::uint32_t field, Record& out) {
    if (take(field, protozero::pbf_wire_type::length_delimited)) {
      read_message(in_.get_message(), out);
    }
  }
  // protozero only asserts the wire type.
  bool take(std::uint32_t field, protozero::pbf_wire_type type) {
    if (field != field_) {
      return false;
    }
    if (in_.wire_type() != type) {
      throw std::invalid_argument("wire type");
    }
    taken_ = true;
    return true;
  }
  std::uint32_t number32() {
    const std::uint64_t value = in_.get_uint64();
    if (value > UINT32_MAX) {
      throw std::out_of_range("number");
    }
    return static_cast<std::uint32_t>(value);
  }
  protozero::data_view short_view() {
    const protozero::data_view view = in_.get_view();
    if (view.size() > kMaxStringBytes) {
      throw std::length_error("string");
    }
    return view;
  }
  template <typename T>
  static T& next_entry(std::vector<T>& list) {
    if (list.size() >= kMaxListEntries) {
      throw std::length_error("list");
    }
    return list.emplace_back();
  }

  PbfReader& in_;
  std::uint32_t field_;
  bool taken_ = false;
};

template <typename Record>
void read_message(PbfReader in, Record& record) {
  while (in.next()) {
    FieldReader field(in);
    visit_fields(field, record);
    if (!field.taken()) {
      in.skip();
    }
  }
}

void assign(const std::string& message, Bytes& out) { out.assign(message.begin(), message.end()); }

template <typename Record>
void encode_record(const Record& record, Bytes& out) {
  std::string message;
  PbfWriter writer(message);
  visit_fields(FieldWriter(writer), record);
  assign(message, out);
}

template <typename Record>
void encode_records(std::span<const Record> records, Bytes& out) {
  std::string message;
  PbfWriter writer(message);
  for (const Record& record : records) {
    FieldWriter(writer).message(kRecordsField, record);
  }
  assign(message, out);
}

PbfReader reader_of(ByteSpan payload) {
  return {reinterpret_cast<const char*>(payload.data()), payload.size()};
}

Error malformed(const std::exception& reason) {
  return {ErrorKind::kDamaged, std::string("malformed message: ") + reason.what()};
}

template <typename Record>
Result<Record> decode_record(ByteSpan payload) {
  try {
    Record record;
    read_message(reader_of(payload), record);
    return record;
  } catch (const std::exception& reason) {
    return malformed(reason);
  }
}

template <typename Record>
Result<std::vector<Record>> decode_records(ByteSpan payload) {
  try {
    std::vector<Record> records;
    PbfReader in = reader_of(payload);
    while (in.next()) {
      if (in.tag_and_type() ==
          protozero::tag_and_type(kRecordsField, protozero::pbf_wire_type::length_delimited)) {
        read_message(in.get_message(), records.emplace_back());
      } else {
        in.skip();
      }
    }
    return records;
  } catch (const std::exception& reason) {
    return malformed(reason);
  }
}

}  // namespace

void encode_session(const SessionInfo& session, Bytes& out) { encode_record(session, out); }
void encode_end(const EndInfo& end, Bytes& out) { encode_record(end, out); }
void encode_processes(std::span<const ProcessRecord> records, Bytes& out) {
  encode_records(records, out);
}
void encode_threads(std::span<const ThreadRecord> records, Bytes& out) {
  encode_records(records, out);
}
void encode_modules(std::span<const ModuleInfo> records, Bytes& out) {
  encode_records(records, out);
}
void encode_objects(std::span<const ObjectInfo> records, Bytes& out) {
  encode_records(records, out);
}
void encode_losses(std::span<const LossRecord> records, Bytes& out) {
  encode_records(records, out);
}
void encode_symbols(std::span<const SymbolRecord> records, Bytes& out) {
  encode_records(records, out);
}

Result<SessionInfo> decode_session(ByteSpan payload) { return decode_record<SessionInfo>(payload); }
Result<EndInfo> decode_end(ByteSpan payload) { return decode_record<EndInfo>(payload); }
Result<std::vector<ProcessRecord>> decode_processes(ByteSpan payload) {
  return decode_records<ProcessRecord>(payload);
}
Result<std::vector<ThreadRecord>> decode_threads(ByteSpan payload) {
  return decode_records<ThreadRecord>(payload);
}
Result<std::vector<ModuleInfo>> decode_modules(ByteSpan payload) {
  return decode_records<ModuleInfo>(payload);
}
Result<std::vector<ObjectInfo>> decode_objects(ByteSpan payload) {
  return decode_records<ObjectInfo>(payload);
}
Result<std::vector<LossRecord>> decode_losses(ByteSpan payload) {
  return decode_records<LossRecord>(payload);
}
Result<std::vector<SymbolRecord>> decode_symbols(ByteSpan payload) {
  return decode_records<SymbolRecord>(payload);
}

}  // namespace spyglass::format
