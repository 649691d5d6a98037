// SPDX-License-Identifier: Apache-2.0
#include "format/table_codec.h"

#include "format/bytes.h"
#include "format/duration_histogram.h"

namespace spyglass::format {
namespace {

// Column after column, each over all records, so that equal things stand next to each other.

template <typename Record, typename Member>
void write_numbers(ByteWriter& writer, std::span<const Record> records, Member Record::*member) {
  for (const Record& record : records) {
    writer.varint(record.*member);
  }
}

template <typename Record, typename Member>
void write_differences(ByteWriter& writer, std::span<const Record> records,
                       Member Record::*member) {
  std::uint64_t previous = 0;
  for (const Record& record : records) {
    writer.difference(record.*member, previous);
    previous = record.*member;
  }
}

void store(ByteReader& /*reader*/, std::uint64_t value, std::uint64_t& member) { member = value; }
void store(ByteReader& reader, std::uint64_t value, std::uint32_t& member) {
  member = static_cast<std::uint32_t>(value <= UINT32_MAX ? value : reader.fail());
}

template <typename Record, typename Member>
void read_numbers(ByteReader& reader, std::span<Record> records, Member Record::*member) {
  for (Record& record : records) {
    store(reader, reader.varint(), record.*member);
  }
}

template <typename Record, typename Member>
void read_differences(ByteReader& reader, std::span<Record> records, Member Record::*member) {
  std::uint64_t previous = 0;
  for (Record& record : records) {
    store(reader, reader.difference(previous), record.*member);
    previous = record.*member;
  }
}

// Appends `count` records for `fill` to read; undone unless they take exactly all of the payload.
// Every record has at least `columns` bytes, which bounds what a hostile count can allocate.
template <typename Record, typename Fill>
Status append(std::span<const std::uint8_t> payload, std::uint32_t count, std::size_t columns,
              std::vector<Record>& out, Fill fill) {
  if (count > payload.size() / columns) {
    return Error{ErrorKind::kDamaged, "table is shorter than its number of records"};
  }
  const std::size_t before = out.size();
  out.resize(before + count);
  ByteReader reader(payload);
  fill(reader, std::span(out).subspan(before));
  if (!reader.finished()) {
    out.resize(before);
    return Error{ErrorKind::kDamaged, "malformed table"};
  }
  return Unit{};
}

void write_buckets(ByteWriter& writer, std::span<const CounterRow> rows) {
  for (const CounterRow& row : rows) {
    writer.varint(row.buckets.size());
  }
  for (const CounterRow& row : rows) {
    std::uint32_t next = 0;
    for (const BucketCount& entry : row.buckets) {
      writer.varint(entry.bucket - next);
      next = entry.bucket + 1;
    }
  }
  for (const CounterRow& row : rows) {
    for (const BucketCount& entry : row.buckets) {
      writer.varint(entry.count);
    }
  }
}

void read_buckets(ByteReader& reader, std::span<CounterRow> rows) {
  std::uint64_t total = 0;
  for (CounterRow& row : rows) {
    const std::uint64_t size = reader.varint();
    total += size;
    // Two bytes at least for each bucket.
    if (size > kHistogramBuckets || total > reader.left() / 2) {
      reader.fail();
      return;
    }
    row.buckets.resize(size);
  }
  for (CounterRow& row : rows) {
    std::uint64_t next = 0;
    for (BucketCount& entry : row.buckets) {
      const std::uint64_t gap = reader.varint();
      if (gap >= kHistogramBuckets - next) {
        reader.fail();
        return;
      }
      entry.bucket = static_cast<std::uint32_t>(next + gap);
      next = entry.bucket + 1;
    }
  }
  for (CounterRow& row : rows) {
    for (BucketCount& entry : row.buckets) {
      entry.count = reader.varint();
    }
  }
}

// Flags of an open call.
constexpr std::uint64_t kInherited = 1;
constexpr std::uint64_t kFinal = 2;

constexpr std::size_t kSiteColumns = 3;
constexpr std::size_t kNodeColumns = 3;
constexpr std::size_t kCounterColumns = 12;
constexpr std::size_t kOpenCallColumns = 5;

}  // namespace

void encode_sites(std::span<const SiteRecord> sites, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, sites, &SiteRecord::id);
  write_differences(writer, sites, &SiteRecord::module);
  write_differences(writer, sites, &SiteRecord::offset);
}

Status decode_sites(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<SiteRecord>& out) {
  return append(payload, records, kSiteColumns, out,
                [](ByteReader& reader, std::span<SiteRecord> sites) {
                  read_differences(reader, sites, &SiteRecord::id);
                  read_differences(reader, sites, &SiteRecord::module);
                  read_differences(reader, sites, &SiteRecord::offset);
                });
}

void encode_nodes(std::span<const NodeRecord> nodes, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, nodes, &NodeRecord::id);
  for (const NodeRecord& node : nodes) {
    writer.difference(node.id, node.parent);
  }
  write_differences(writer, nodes, &NodeRecord::site);
}

Status decode_nodes(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<NodeRecord>& out) {
  return append(payload, records, kNodeColumns, out,
                [](ByteReader& reader, std::span<NodeRecord> nodes) {
                  read_differences(reader, nodes, &NodeRecord::id);
                  for (NodeRecord& node : nodes) {
                    store(reader, node.id - unzigzag(reader.varint()), node.parent);
                  }
                  read_differences(reader, nodes, &NodeRecord::site);
                });
}

void encode_counters(std::span<const CounterRow> rows, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, rows, &CounterRow::thread);
  write_differences(writer, rows, &CounterRow::node);
  write_numbers(writer, rows, &CounterRow::calls);
  write_numbers(writer, rows, &CounterRow::wall_ticks);
  write_numbers(writer, rows, &CounterRow::off_cpu_ticks);
  write_numbers(writer, rows, &CounterRow::min_ticks);
  write_numbers(writer, rows, &CounterRow::max_ticks);
  write_numbers(writer, rows, &CounterRow::untimed_calls);
  write_numbers(writer, rows, &CounterRow::fold_in_calls);
  write_numbers(writer, rows, &CounterRow::fold_in_ticks);
  write_numbers(writer, rows, &CounterRow::fold_out_ticks);
  write_buckets(writer, rows);
}

Status decode_counters(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<CounterRow>& out) {
  return append(payload, records, kCounterColumns, out,
                [](ByteReader& reader, std::span<CounterRow> rows) {
                  read_differences(reader, rows, &CounterRow::thread);
                  read_differences(reader, rows, &CounterRow::node);
                  read_numbers(reader, rows, &CounterRow::calls);
                  read_numbers(reader, rows, &CounterRow::wall_ticks);
                  read_numbers(reader, rows, &CounterRow::off_cpu_ticks);
                  read_numbers(reader, rows, &CounterRow::min_ticks);
                  read_numbers(reader, rows, &CounterRow::max_ticks);
                  read_numbers(reader, rows, &CounterRow::untimed_calls);
                  read_numbers(reader, rows, &CounterRow::fold_in_calls);
                  read_numbers(reader, rows, &CounterRow::fold_in_ticks);
                  read_numbers(reader, rows, &CounterRow::fold_out_ticks);
                  read_buckets(reader, rows);
                });
}

void encode_open_calls(std::span<const OpenCall> calls, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, calls, &OpenCall::thread);
  write_differences(writer, calls, &OpenCall::node);
  write_differences(writer, calls, &OpenCall::start_ticks);
  write_differences(writer, calls, &OpenCall::ticks);
  for (const OpenCall& call : calls) {
    writer.varint((call.inherited ? kInherited : 0U) | (call.final ? kFinal : 0U));
  }
}

Status decode_open_calls(std::span<const std::uint8_t> payload, std::uint32_t records,
                         std::vector<OpenCall>& out) {
  return append(payload, records, kOpenCallColumns, out,
                [](ByteReader& reader, std::span<OpenCall> calls) {
                  read_differences(reader, calls, &OpenCall::thread);
                  read_differences(reader, calls, &OpenCall::node);
                  read_differences(reader, calls, &OpenCall::start_ticks);
                  read_differences(reader, calls, &OpenCall::ticks);
                  for (OpenCall& call : calls) {
                    const std::uint64_t flags = reader.varint();
                    if (flags > (kInherited | kFinal)) {
                      reader.fail();
                    }
                    call.inherited = (flags & kInherited) != 0;
                    call.final = (flags & kFinal) != 0;
                  }
                });
}

}  // namespace spyglass::format
