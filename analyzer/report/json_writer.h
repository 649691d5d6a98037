// SPDX-License-Identifier: Apache-2.0
// json_writer.h - JSON to a stream: valid UTF-8, no NaN, one element of a long array per line.
//
//   Where    report and diff. The one use of RapidJSON.
//   Memory   a buffer of 64 KiB, whatever is written.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string_view>

namespace spyglass {

class JsonWriter {
 public:
  explicit JsonWriter(std::ostream& out);
  ~JsonWriter();
  JsonWriter(const JsonWriter&) = delete;
  JsonWriter& operator=(const JsonWriter&) = delete;

  JsonWriter& key(std::string_view name);
  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void text(std::string_view value);
  void count(std::uint64_t value);
  void boolean(bool value);
  void null();
  // Thousandths are kept. Whole numbers have no fraction; NaN and infinity become null.
  void number(double value);
  // Begins a new line in the output where whitespace is allowed: before an element.
  void new_line();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spyglass
