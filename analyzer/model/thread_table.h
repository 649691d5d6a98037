// SPDX-License-Identifier: Apache-2.0
// thread_table.h - processes and threads, and what was counted in each.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "analyzer/model/id_index.h"
#include "analyzer/model/profile.h"
#include "analyzer/model/session_clock.h"
#include "analyzer/model/tick_range.h"
#include "format/records.h"

namespace spyglass::model {

struct ThreadCounts {
  format::ThreadRecord record;
  std::uint64_t calls = 0;
  std::uint64_t recorded_ticks = 0;  // inside calls
  std::uint64_t off_cpu_ticks = 0;   // of these
  std::uint64_t samples = 0;
  // Of memory operations, as its nodes counted.
  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t frees = 0;
  // Of operations, by OperationClass: off the CPU, and altogether.
  std::array<std::uint64_t, format::kOperationClasses> wait_off_cpu_ticks{};
  std::array<std::uint64_t, format::kOperationClasses> wait_ticks{};
  // The innermost call of those that had not returned when the thread ended.
  std::uint32_t innermost = IdIndex::kNone;  // slot in NodeTable
  std::uint64_t innermost_ticks = 0;
};

class ThreadTable {
 public:
  void define(const format::ProcessRecord& record) { processes_[record.id] = record; }
  void define(const format::ThreadRecord& record) { thread(record.id).record = record; }
  ThreadCounts& thread(std::uint32_t id);
  std::vector<ThreadCounts>& threads() { return threads_; }
  const std::map<std::uint32_t, format::ProcessRecord>& processes() const { return processes_; }

  // Those that lived within the range, by id; `end_ticks` is where the recording ends.
  void write(const SessionClock& clock, const TickRange& range, std::uint64_t end_ticks,
             double sample_interval_ns, Profile& profile) const;

 private:
  IdIndex index_;
  std::vector<ThreadCounts> threads_;
  std::map<std::uint32_t, format::ProcessRecord> processes_;
};

}  // namespace spyglass::model
