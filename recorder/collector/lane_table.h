// SPDX-License-Identifier: Apache-2.0
// lane_table.h - the lanes in use: taken in when a thread begins, drained, looked at, closed when
// the thread is gone.
//
//   Where    collector thread.
//   Memory   one LaneView for each lane that a thread owns.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "recorder/collector/counter_snapshot.h"
#include "recorder/collector/lane_drain.h"
#include "recorder/collector/lane_nodes.h"
#include "recorder/collector/lane_view.h"
#include "recorder/collector/overhead_budget.h"
#include "recorder/collector/process_table.h"
#include "recorder/collector/recording.h"
#include "recorder/collector/sample_tasks.h"
#include "recorder/collector/thread_cpu_time.h"

namespace spyglass::collector {

class LaneTable {
 public:
  LaneTable(const Arena& arena, ProcessTable& processes, LaneNodes& nodes, LaneDrain& drain,
            CounterSnapshot& snapshot, OverheadBudget& budget, SampleTasks& tasks,
            Recording& recording);

  // Takes in new lanes, drains all, closes those of threads that said goodbye and are gone.
  // Returns how many ring records it took.
  std::uint64_t pass();
  // Counters and open calls of all lanes; CPU time of young threads.
  void snapshot(std::uint64_t now_ticks, std::uint64_t elapsed_ticks);
  // What need not be done more often than once a second: waiting spans, CPU time, names, losses,
  // threads that vanished.
  void look_around(std::uint64_t now_ticks);

  // Closes the lanes of a process that is gone.
  void close_process(ProcessEntry& process, std::uint64_t end_ticks);
  // The session ends while the lanes' threads go on.
  void finish(std::uint64_t now_ticks);

 private:
  void take_in(std::uint32_t index);
  void close(LaneView& view, std::uint64_t end_ticks);
  void note_unfinished_wait(LaneView& view, std::uint64_t end_ticks);
  void complete_thread(LaneView& view, std::uint64_t end_ticks, bool ended);
  void count_losses(const LaneView& view);
  bool is_gone(LaneView& view) const;
  void take_own_name(LaneView& view) const;
  void take_cpu_accuracy(LaneView& view) const;
  void refresh_thread(LaneView& view, std::uint64_t now_ticks);
  void refresh_young(std::uint64_t now_ticks);
  void see_which_ran();
  void refresh_quiet(std::uint64_t now_ticks);
  bool open_calls_due(const LaneView& view, std::uint64_t now_ticks) const;

  const Arena& arena_;
  ProcessTable& processes_;
  LaneNodes& nodes_;
  LaneDrain& drain_;
  CounterSnapshot& snapshot_;
  OverheadBudget& budget_;
  SampleTasks& tasks_;
  Recording& recording_;
  ThreadCpuTime cpu_time_;
  std::uint64_t ns_per_tick_q60_;
  std::vector<std::unique_ptr<LaneView>> views_;  // by lane
  std::vector<std::uint32_t> claimed_;            // lanes being set up, as of the last pass
  std::vector<std::uint32_t> quiet_;              // lanes without activity, in the look going on
  std::uint32_t quiet_from_ = 0;                  // whose turn it is
};

}  // namespace spyglass::collector
