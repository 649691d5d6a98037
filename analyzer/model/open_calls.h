// SPDX-License-Identifier: Apache-2.0
// open_calls.h - the parts of calls that no counter knows yet: those that had not returned when
// their thread ended, when the recorder was killed, or at the ends of a time range.
//
// The collector tells a thread's whole stack, outermost call first, at a snapshot after which it
// may have changed. So the last stack told holds until the next.
//
//   Memory   the stacks of living threads.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "analyzer/model/node_table.h"
#include "analyzer/model/thread_table.h"
#include "analyzer/model/tick_range.h"
#include "format/records.h"

namespace spyglass::model {

class OpenCalls {
 public:
  OpenCalls(NodeTable& nodes, ThreadTable& threads, const TickRange& range)
      : nodes_(nodes), threads_(threads), range_(range) {}

  // In the order of the file.
  void see(const format::OpenCall& call);
  // Counts what is left; `last_ticks` is the latest moment that the recording knows of.
  void finish(std::uint64_t last_ticks);

 private:
  struct Call {
    std::uint32_t node = 0;  // slot
    std::uint64_t start_ticks = 0;
    bool inherited = false;
  };
  struct Stack {
    std::uint64_t ticks = 0;
    std::vector<Call> calls;
    void put(std::uint64_t at_ticks, const Call& call);
  };
  struct ThreadStacks {
    Stack at_start;  // of the range
    Stack at_end;
    std::uint64_t final_ticks = 0;
    std::uint32_t final_caller = NodeTable::kRootSlot;
  };

  void see_final(const format::OpenCall& call, ThreadStacks& stacks);
  // Adds (or, for the time before the range, takes away) the time of `call` until `end_ticks`.
  void count_time(ThreadCounts& thread, const Call& call, std::uint32_t caller,
                  std::uint64_t end_ticks, bool add);
  void count_open(ThreadCounts& thread, const Call& call);

  NodeTable& nodes_;
  ThreadTable& threads_;
  TickRange range_;
  std::unordered_map<std::uint32_t, ThreadStacks> stacks_;  // by thread id
};

}  // namespace spyglass::model
