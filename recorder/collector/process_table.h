// SPDX-License-Identifier: Apache-2.0
// process_table.h - the processes of the session: images that came by exec, children that came by
// fork.
//
//   Where    collector thread.
//   Memory   an entry lives until a while after its process, because a child names it as its
//   parent.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "format/records.h"
#include "recorder/collector/arena_owner.h"

namespace spyglass::collector {

class Recording;
class SampleTasks;

struct ProcessEntry {
  format::ProcessRecord record;
  std::uint32_t slot = 0;
  std::uint32_t outer_pid = 0;  // 0: unknown, it was gone when we looked
  std::string executable;
  bool live = true;
  bool crash_recorded = false;    // a fatal signal of its, with its stack
  std::uint64_t exec_cpu_ns = 0;  // of its main thread when it executed another program; 0: unknown
  std::uint64_t seen_cpu_ns = 0;  // of all its threads, as of the last look
  bool ran = true;                // between the last look and the one before
  std::vector<std::uint32_t> lanes;  // that the collector has taken in
};

// An image that shook hands; told by the main thread.
struct NewImage {
  std::uint32_t slot = 0;
  std::uint32_t outer_pid = 0;
  std::uint32_t ppid = 0;
  std::uint64_t ticks = 0;
  std::uint64_t cpu_ns = 0;  // of its thread so far, the image before included; 0: unknown
  std::vector<std::string> command;
  std::string executable;
};

struct ProcessEnd {
  format::ExitKind kind = format::ExitKind::kUnknown;
  std::uint32_t value = 0;
  std::uint64_t ticks = 0;
};

ProcessEnd end_from_wait_status(std::optional<int> wait_status, std::uint64_t ticks);

class ProcessTable {
 public:
  // `tasks` gives the ids.
  ProcessTable(const Arena& arena, Recording& recording, SampleTasks& tasks);

  // The image that the process had before, if we know one: it ends now.
  ProcessEntry* add_image(const NewImage& image);
  // Takes in forked children that have claimed a slot. They need to be watched. Orphans: children
  // of a process that is not known, whose image may still be in the mail. `execed_pid`: of a
  // process that is known to have executed a program since, though it may be gone; 0: none.
  enum class Orphans { kNow, kLater };
  std::vector<ProcessEntry*> find_forked(Orphans orphans, std::uint32_t execed_pid);

  ProcessEntry* by_slot(std::uint32_t slot) const;
  ProcessEntry* by_pid(std::uint32_t outer_pid) const;  // its live image
  std::vector<ProcessEntry*> live() const;
  std::size_t live_count() const { return live_count_; }

  // When the process ended: as it said itself if it did, else when its end was seen, which may be
  // late.
  std::uint64_t end_ticks(const ProcessEntry& entry, const ProcessEnd& end) const;

  // All lanes of the process have been closed. Remembers its slot for a while, then frees it.
  void end(ProcessEntry& entry, const ProcessEnd& end);
  void free_old_slots(std::uint64_t now_ticks, std::uint64_t keep_ticks);

  // How a process ended that nobody has asked for yet.
  void remember_end(std::uint32_t outer_pid, const ProcessEnd& end);
  std::optional<ProcessEnd> take_remembered_end(std::uint32_t outer_pid);

 private:
  ProcessEntry& insert(std::uint32_t slot, std::uint32_t outer_pid, std::uint32_t id);
  ProcessEntry* add_forked(std::uint32_t slot, std::uint32_t execed_pid);

  const Arena& arena_;
  Recording& recording_;
  SampleTasks& tasks_;
  std::uint32_t reaper_ = 0;  // orphans become children of this pid
  std::size_t live_count_ = 0;
  std::vector<std::unique_ptr<ProcessEntry>> slots_;
  std::unordered_map<std::uint32_t, ProcessEntry*> by_pid_;
  std::deque<std::pair<std::uint64_t, std::uint32_t>> ended_slots_;  // when, which
  std::unordered_map<std::uint32_t, ProcessEnd> early_ends_;
};

}  // namespace spyglass::collector
