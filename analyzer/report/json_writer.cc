// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/json_writer.h"

#include <rapidjson/writer.h>

#include <cmath>
#include <string>

#include "analyzer/report/safe_text.h"

namespace spyglass {
namespace {

constexpr std::size_t kBufferBytes = 64U << 10U;
// Beyond this a double has no thousandths, and an integer may not survive other readers.
constexpr double kLargestExact = 9007199254740992.0;

// RapidJSON's output concept over a std::ostream.
class OutputStream {
 public:
  using Ch = char;
  explicit OutputStream(std::ostream& out) : out_(out) { buffer_.reserve(kBufferBytes); }
  void Put(char character) {
    // RapidJSON puts the comma before the element, so a wanted line break goes behind the comma.
    buffer_ += character;
    if (break_pending_ && (character == ',' || character == '[' || character == '{')) {
      buffer_ += '\n';
      break_pending_ = false;
    }
    if (buffer_.size() >= kBufferBytes) Flush();
  }
  void Flush() {
    out_.write(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    buffer_.clear();
  }
  // Before the next element: at once when the element before it was an opening bracket.
  void break_line() {
    if (!buffer_.empty() && (buffer_.back() == '[' || buffer_.back() == '{')) {
      buffer_ += '\n';
    } else {
      break_pending_ = true;
    }
  }
  void end_line() {
    break_pending_ = false;
    buffer_ += '\n';
  }

 private:
  std::ostream& out_;
  std::string buffer_;
  bool break_pending_ = false;
};

}  // namespace

struct JsonWriter::State {
  explicit State(std::ostream& out) : stream(out), writer(stream) {}
  OutputStream stream;
  rapidjson::Writer<OutputStream> writer;
};

JsonWriter::JsonWriter(std::ostream& out) : state_(std::make_unique<State>(out)) {}

JsonWriter::~JsonWriter() {
  state_->stream.end_line();
  state_->stream.Flush();
}

JsonWriter& JsonWriter::key(std::string_view name) {
  state_->writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  return *this;
}

void JsonWriter::begin_object() { state_->writer.StartObject(); }
void JsonWriter::end_object() { state_->writer.EndObject(); }
void JsonWriter::begin_array() { state_->writer.StartArray(); }
void JsonWriter::end_array() { state_->writer.EndArray(); }

void JsonWriter::text(std::string_view value) {
  const std::string valid = valid_utf8(value);
  state_->writer.String(valid.data(), static_cast<rapidjson::SizeType>(valid.size()));
}

void JsonWriter::count(std::uint64_t value) { state_->writer.Uint64(value); }
void JsonWriter::boolean(bool value) { state_->writer.Bool(value); }
void JsonWriter::null() { state_->writer.Null(); }
void JsonWriter::new_line() { state_->stream.break_line(); }

void JsonWriter::number(double value) {
  if (!std::isfinite(value)) {
    state_->writer.Null();
    return;
  }
  const double whole = std::round(value);
  if (std::fabs(value) < kLargestExact) {
    // Rounding is symmetric, so that a change and its opposite stay opposites.
    const double kept = std::round(value * 1000) / 1000;
    if (kept == whole) {
      state_->writer.Int64(static_cast<std::int64_t>(whole));
    } else {
      state_->writer.Double(kept);
    }
    return;
  }
  state_->writer.Double(value);
}

}  // namespace spyglass
