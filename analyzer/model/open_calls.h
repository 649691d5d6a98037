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
  // What the counted part of a call that was open at an end of the range is measured against: the
  // counters, which hold whole calls at the moment of their return, or spans, clipped like them.
  enum class Beside { kCounters, kSpans };

  OpenCalls(NodeTable& nodes, ThreadTable& threads, const TickRange& range, Beside beside)
      : nodes_(nodes), threads_(threads), range_(range), beside_(beside) {}

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
  void finish_end(ThreadCounts& thread, const ThreadStacks& stacks, std::uint64_t end_ticks);
  // Of `call`, open at `end_ticks`, what is to be added.
  std::uint64_t elapsed_ticks(const Call& call, std::uint64_t end_ticks) const;
  // `ticks` may be negative in two's complement: time before the range, which counters include.
  void count_time(ThreadCounts& thread, const Call& call, std::uint32_t caller,
                  std::uint64_t ticks);
  void count_open(ThreadCounts& thread, const Call& call);

  NodeTable& nodes_;
  ThreadTable& threads_;
  TickRange range_;
  Beside beside_;
  std::unordered_map<std::uint32_t, ThreadStacks> stacks_;  // by thread id
};

}  // namespace spyglass::model
