// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/open_calls.h"

#include <algorithm>

#include "analyzer/model/wait_time.h"

namespace spyglass::model {

void OpenCalls::Stack::put(std::uint64_t at_ticks, const Call& call) {
  if (at_ticks != ticks) {
    ticks = at_ticks;
    calls.clear();
  }
  if (call.node != NodeTable::kRootSlot) {  // a call of the root says that nothing is open
    calls.push_back(call);
  }
}

std::uint64_t OpenCalls::elapsed_ticks(const Call& call, std::uint64_t end_ticks) const {
  if (beside_ == Beside::kSpans) {
    return range_.overlap(call.start_ticks, end_ticks);
  }
  return end_ticks > call.start_ticks ? end_ticks - call.start_ticks : 0;
}

void OpenCalls::count_time(ThreadCounts& thread, const Call& call, std::uint32_t caller,
                           std::uint64_t ticks) {
  nodes_[call.node].counts.wall_ticks += ticks;
  if (!nodes_.is_below(call.node, caller)) {
    nodes_[call.node].counts.fold_in_ticks += ticks;
    nodes_[caller].counts.fold_out_ticks += ticks;
  }
  if (caller == NodeTable::kRootSlot) {
    thread.recorded_ticks += ticks;
  }
  if (nodes_[call.node].role == Role::kOperation &&
      nodes_[call.node].wait != RecordedNode::kNoWait) {
    thread.wait_ticks[nodes_[call.node].wait] += ticks;
  }
}

void OpenCalls::count_open(ThreadCounts& thread, const Call& call) {
  if (!call.inherited) {
    nodes_[call.node].counts.open_calls += 1;
    thread.calls += nodes_[call.node].role == Role::kObject ? 0 : 1;
  }
}

void OpenCalls::see_final(const format::OpenCall& call, ThreadStacks& stacks) {
  const bool spans = beside_ == Beside::kSpans;
  if (stacks.final_ticks != call.ticks) {
    stacks.final_ticks = call.ticks;
    stacks.final_caller = NodeTable::kRootSlot;
    if (spans || call.ticks <= range_.end) {
      stacks.at_end = {};
    }
    if (call.ticks <= range_.start) {
      stacks.at_start = {};
    }
  }
  const Call open{nodes_.slot(call.node), call.start_ticks, call.inherited};
  const bool inside = spans ? range_.whole() || range_.overlap(call.start_ticks, call.ticks) != 0
                            : call.ticks > range_.start && call.ticks <= range_.end;
  if (!inside || open.node == NodeTable::kRootSlot) {
    return;
  }
  ThreadCounts& thread = threads_.thread(call.thread);
  count_time(thread, open, stacks.final_caller, elapsed_ticks(open, call.ticks));
  count_open(thread, open);
  stacks.final_caller = open.node;
  thread.innermost = open.node;
  thread.innermost_ticks = elapsed_ticks(open, call.ticks);
}

void OpenCalls::see(const format::OpenCall& call) {
  ThreadStacks& stacks = stacks_[call.thread];
  if (call.final) {
    see_final(call, stacks);
    return;
  }
  const bool spans = beside_ == Beside::kSpans;
  const Call open{nodes_.slot(call.node), call.start_ticks, call.inherited};
  if (!spans && !range_.whole() && call.ticks <= range_.start) {
    stacks.at_start.put(call.ticks, open);
  }
  if (spans || call.ticks <= range_.end) {
    stacks.at_end.put(call.ticks, open);
  }
}

void OpenCalls::finish(std::uint64_t last_ticks) {
  const bool spans = beside_ == Beside::kSpans;
  const std::uint64_t end_ticks = spans ? last_ticks : std::min(last_ticks, range_.end);
  for (const auto& [id, stacks] : stacks_) {
    ThreadCounts& thread = threads_.thread(id);
    // Before anything is taken back: a wait that covers the range is in no counter of it.
    finish_end(thread, stacks, end_ticks);
    std::uint32_t caller = NodeTable::kRootSlot;
    for (const Call& call : stacks.at_start.calls) {
      count_time(thread, call, caller, std::uint64_t{0} - elapsed_ticks(call, range_.start));
      caller = call.node;
    }
    if (!stacks.at_start.calls.empty()) {
      const Call& innermost = stacks.at_start.calls.back();
      take_back_wait(nodes_[innermost.node], thread, elapsed_ticks(innermost, range_.start));
    }
  }
  stacks_.clear();
}

void OpenCalls::finish_end(ThreadCounts& thread, const ThreadStacks& stacks,
                           std::uint64_t end_ticks) {
  if (!range_.whole() && stacks.final_ticks != 0 && thread.innermost != IdIndex::kNone) {
    count_wait(nodes_[thread.innermost], thread, thread.innermost_ticks);
  }
  const std::uint64_t exit_ticks = thread.record.exit_ticks;
  if (exit_ticks != 0 && exit_ticks <= end_ticks) {
    return;  // its last calls returned after they were seen open: they are in the counters
  }
  std::uint32_t caller = NodeTable::kRootSlot;
  for (const Call& call : stacks.at_end.calls) {
    const std::uint64_t ticks = elapsed_ticks(call, end_ticks);
    if (ticks != 0 || range_.whole()) {
      count_time(thread, call, caller, ticks);
      count_open(thread, call);
    }
    caller = call.node;
  }
  if (!stacks.at_end.calls.empty()) {
    const Call& innermost = stacks.at_end.calls.back();
    count_wait(nodes_[innermost.node], thread, elapsed_ticks(innermost, end_ticks));
  }
}

}  // namespace spyglass::model
