// SPDX-License-Identifier: Apache-2.0
// heap_replay.h - goes through what memory came and went, in the order of time, and knows at any
// moment what is live, whose it is and how long it has been.
//
// Processors' clocks may disagree a little. So an address can be given out again before its free
// arrives: then the older block ends there, and a free of another thread that comes at once is
// its. A block may also be freed by another thread before its allocation arrives.
//
//   Memory   proportional to live blocks, nodes, threads and processes.
//   Errors   records that make no sense count as unmatched.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "analyzer/model/heap_blocks.h"
#include "analyzer/model/heap_figures.h"
#include "analyzer/model/heap_maps.h"
#include "analyzer/model/heap_weights.h"
#include "analyzer/model/tick_range.h"
#include "format/records.h"

namespace spyglass::model {

class HeapReplay {
 public:
  static constexpr double kLateNs = 2000;  // more than clocks disagree by

  struct Settings {
    std::size_t nodes = 0;
    std::uint64_t sample_bytes = 0;
    double ns_per_tick = 1;
    TickRange range;  // what is counted; blocks are followed from the start in any case
    std::optional<std::uint64_t> at_ticks;    // when to take the heap's inventory
    std::vector<std::uint64_t> step_ends;     // of the timeline, ascending
    std::vector<std::uint32_t> suppressions;  // by node, 0: none
    std::uint32_t most_suppressions = 0;      // none is above
  };

  struct Process {
    format::ProcessRecord record;
    LiveBlocks blocks;
    MappedPages pages;
    RecentAddresses displaced;
    RecentAddresses freed;
    HeapAmount live;
    HeapAmount allocated;
    HeapAmount leaked;
    HeapAmount suppressed;
    std::uint64_t frees = 0;
    std::uint64_t peak_bytes = 0;
    std::uint64_t peak_ticks = 0;
  };
  struct Thread {
    std::uint32_t id = 0;
    Process* process = nullptr;
    std::uint32_t sequence = 0;  // allocations so far
    HeapAmount allocated;
    std::uint64_t frees = 0;
    std::uint64_t frees_of_others = 0;
    // What realloc gave up and is about to replace.
    bool moving = false;
    LiveBlock moved;
  };
  struct Step {
    HeapAmount allocated;
    std::uint64_t live_bytes = 0;
    std::uint64_t mapped_bytes = 0;
  };
  struct Maps {
    std::uint64_t maps = 0;
    std::uint64_t mapped_bytes = 0;
    std::uint64_t live_bytes = 0;
    std::uint64_t own_peak_bytes = 0;
    std::uint64_t live_then_bytes = 0;
  };
  struct Totals {
    std::uint64_t records = 0;
    std::uint64_t frees = 0;
    std::int64_t unmatched_frees = 0;
    std::int64_t inherited_frees = 0;
    std::uint64_t late_frees = 0;
    std::uint64_t peak_ticks = 0;
    std::uint64_t mapped_live_bytes = 0;
    std::uint64_t mapped_peak_bytes = 0;
    std::uint64_t execed_bytes = 0;
    std::vector<HeapAmount> suppressed;  // by suppression
  };

  explicit HeapReplay(Settings settings);

  // Before the first record.
  void add(const format::ProcessRecord& process);
  void add(const format::ThreadRecord& thread);

  // In the order of time; `node` is an index below Settings::nodes.
  void see(std::uint32_t thread, std::uint32_t node, const format::AllocationRecord& record);
  // After the last: ends all processes.
  void finish();

  const HeapWeights& weights() const { return weights_; }
  HeapFigures& figures() { return figures_; }
  const Totals& totals() const { return totals_; }
  const std::vector<Step>& steps() const { return steps_; }
  const std::unordered_map<std::uint32_t, Maps>& maps() const { return maps_; }
  const std::unordered_map<std::uint32_t, Process>& processes() const { return processes_; }
  const std::unordered_map<std::uint32_t, Thread>& threads() const { return threads_; }

 private:
  enum class Mark : std::uint8_t { kStepEnd, kProcessEnd, kRangeEnd, kInventory, kRangeStart };
  struct Milestone {
    std::uint64_t ticks = 0;  // reached when a record is later than this
    Mark mark = Mark::kStepEnd;
    std::uint32_t process = 0;
  };

  void pass_milestones(std::uint64_t ticks);
  void reach(const Milestone& milestone);
  void end_step();
  void take_inventory();
  void end_process(Process& process);
  Thread& thread(std::uint32_t id);
  void allocate(Thread& thread, std::uint32_t node, const format::AllocationRecord& record);
  void count_allocation(Thread& thread, const LiveBlock& block, const HeapAmount& amount);
  void count_unmatched(const Process& process, std::int64_t count);
  void release(Thread& thread, const format::AllocationRecord& record);
  void end_block(const LiveBlock& block, std::uint64_t ticks, bool temporary);
  void map(Thread& thread, std::uint32_t node, const format::AllocationRecord& record);
  void unmap(std::uint32_t node, std::uint64_t bytes);
  std::uint32_t lifetime_bucket(std::uint64_t ticks) const;

  Settings settings_;
  HeapWeights weights_;
  HeapFigures figures_;
  std::unordered_map<std::uint32_t, Process> processes_;  // by id
  std::unordered_map<std::uint32_t, Thread> threads_;     // by id
  Thread* last_thread_ = nullptr;
  std::unordered_map<std::uint32_t, Maps> maps_;  // by node
  MappedPages::Gone gone_;
  std::vector<Milestone> milestones_;  // ascending
  std::size_t next_milestone_ = 0;
  std::vector<Step> steps_;
  std::size_t step_ = 0;
  Totals totals_;
  std::uint64_t late_ticks_ = 0;
  bool counting_ = true;  // within the range
};

}  // namespace spyglass::model
