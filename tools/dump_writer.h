// SPDX-License-Identifier: Apache-2.0
// dump_writer.h - events of a recording as lines of text or of JSON.
//
// Text: seconds since the session's start, pid/tid, thread, kind, what. JSON: one object a line,
// its "kind" first; docs/json.md lists the members.
//
//   Where    tools.
//   Memory   one name for each node and thread that was written.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <unordered_map>

#include "analyzer/model/session_clock.h"
#include "analyzer/reader/event_stream.h"
#include "analyzer/reader/recording_tables.h"

namespace spyglass {

// As --kind and JSON name them.
std::string_view event_kind_name(EventKind kind);

class DumpWriter {
 public:
  DumpWriter(std::ostream& out, const RecordingTables& tables, bool json);
  ~DumpWriter();
  DumpWriter(const DumpWriter&) = delete;
  DumpWriter& operator=(const DumpWriter&) = delete;

  // JSON only: which recording the lines are of.
  void write_schema(const format::FileHeader& header);
  void write(const Event& event);
  void write(const ReaderDamage& damage);
  void flush();

 private:
  void write_text(const Event& event);
  void write_json(const Event& event);
  void begin_json(const Event& event);
  void write_moment_text(const Event& event);
  void write_moment_json(const Event& event);
  void write_memory_json(const Event& event);
  void write_counted_json(const Event& event);  // snapshots and open calls
  void write_allocation_text(const Event& event);
  std::uint32_t pid_of(std::uint32_t process) const;
  std::string place_of(std::uint32_t node);
  std::string plain_function_of(std::uint32_t node) const;
  std::string_view function_of(std::uint32_t node);  // quoted for JSON
  std::string_view thread_of(std::uint32_t thread);  // members for JSON
  std::int64_t at_ns(std::uint64_t ticks) const;
  std::int64_t for_ns(std::uint64_t ticks) const;

  std::ostream& out_;
  const RecordingTables& tables_;
  model::SessionClock clock_;
  bool json_;
  fmt::memory_buffer buffer_;
  std::unordered_map<std::uint32_t, std::string> functions_;
  std::unordered_map<std::uint32_t, std::string> threads_;
};

}  // namespace spyglass
