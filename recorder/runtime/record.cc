// SPDX-License-Identifier: Apache-2.0
// The slow way of the two hooks: first calls, new contexts, thread switches, filters, demotion, and
// the repair of what longjmp, tail calls, foreign stacks and missing exits leave behind.
#include "recorder/runtime/record.h"

#include <cstddef>

#include "format/operation.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/lane.h"

namespace spyglass::runtime {
namespace {

using format::Entry;
using format::Lane;
using format::Node;

constexpr std::uint64_t kPastDepth = format::kEntryUncounted | format::kEntryPastDepth;
constexpr std::size_t kScanLimit = 4096;  // open calls looked at to find the one that returns
constexpr std::uint64_t kStackFrameLimit = std::uint64_t{1} << 20U;

// A copy of an entry, with the node and flags that it means.
struct Call {
  Node* node;  // null: vacant
  std::uint64_t flags;
  std::uint64_t start_ticks;
  std::uint64_t sp;
};

Call call_at(const Lane* lane, const Entry& entry) {
  const format::EntryCall call = format::call_of(entry.node, entry.flags, lane->cells);
  Node* node = call.cell == 0 ? nullptr : node_at(lane, static_cast<std::uint32_t>(call.cell));
  return {node, call.flags, entry.start_ticks, entry.sp};
}

bool is_vacant(const Lane* lane, const Entry& entry) {
  return call_at(lane, entry).node == nullptr;
}

// The innermost call that is there: a handler that interrupted a hook finds the hook's entry
// vacant, and as many of them as handlers interrupted hooks of handlers. The outermost entry never
// is; loops end there even in threads by bare clone, which share a lane with who made them.
const Entry* innermost(const Lane* lane) {
  const Entry* entry = top_of(lane);
  const Entry* base = base_of(lane);
  while (entry < base && is_vacant(lane, *entry)) {
    ++entry;
  }
  return entry < base ? entry : base;
}

bool has_open_calls(const Lane* lane) { return top_of(lane) < base_of(lane); }

// As the kernel lays it out (stack_t).
struct SignalStack {
  std::uint64_t base = 0;
  int flags = 0;
  std::uint64_t bytes = 0;

  bool holds(std::uint64_t sp) const { return sp - base <= bytes; }
};

// The alternate signal stack, if the thread runs on it and `sp` lies in it: then the frames below
// are not abandoned, only interrupted.
bool on_signal_stack(std::uint64_t sp, SignalStack& stack) {
  constexpr int kOnStack = 1;
  return kernel(SYS_sigaltstack, nullptr, &stack) == 0 && (stack.flags & kOnStack) != 0 &&
         stack.holds(sp);
}

void count_untimed(Lane* lane, Node* node) {
  if (format::NodeExtension* extension = extension_of(lane, node)) {
    extension->untimed_calls += 1;
  } else {
    node->calls += 1;
  }
}

void count_fold(Lane* lane, Node* node, Node* caller, std::uint64_t duration_ticks) {
  format::NodeExtension* in = extension_of(lane, node);
  format::NodeExtension* out = extension_of(lane, caller);
  if (in != nullptr && out != nullptr) {
    in->fold_in_calls += 1;
    in->fold_in_ticks += duration_ticks;
    out->fold_out_ticks += duration_ticks;
  }
}

// Counts `call`, which has been given up, as ended at `now_ticks`.
void count_call(Lane* lane, const Call& call, Node* caller, std::uint64_t now_ticks) {
  if ((call.flags & format::kEntryUncounted) != 0) {
    return;
  }
  if ((call.flags & format::kEntryUntimed) != 0) {
    return count_untimed(lane, call.node);
  }
  Node* node = call.node;
  std::uint64_t duration_ticks = 0;
  if (now_ticks >= call.start_ticks) {
    duration_ticks = now_ticks - call.start_ticks;
  } else {
    lane->clock_clamps += 1;
  }
  node->total_ticks += duration_ticks;
  if ((call.flags & format::kEntryInherited) != 0) {
    return;  // the parent process counts the call; here only its time since the fork
  }
  node->calls += 1;
  node->min_ticks = duration_ticks < node->min_ticks ? duration_ticks : node->min_ticks;
  node->max_ticks = duration_ticks > node->max_ticks ? duration_ticks : node->max_ticks;
  settle_pending(lane, format::pending_of(cell_of(lane, node), bucket_of_ticks(duration_ticks)));
  if ((call.flags & format::kEntryFolded) != 0) {
    count_fold(lane, node, caller, duration_ticks);
  }
  const bool demoted = (node->mode.load(std::memory_order_relaxed) & format::kNodeDemoted) != 0;
  if (duration_ticks >= lane->span_threshold_ticks && !demoted) {
    push_span(lane, cell_of(lane, node), call.start_ticks, duration_ticks);
  }
}

// Ends the innermost open call.
void pop_call(Lane* lane, std::uint64_t now_ticks) {
  Entry* top = top_of(lane);
  const Call call = call_at(lane, *top);
  signal_fence();
  top->node = lane->cells;
  top->flags = 0;
  lane->top = reinterpret_cast<std::uint64_t>(top + 1);
  signal_fence();
  if (call.node != nullptr) {
    count_call(lane, call, call_at(lane, *innermost(lane)).node, now_ticks);
  }
}

// A throw never returns: that its frame was left is how it ends.
bool is_throw(const Lane* lane, const Node* node) {
  if ((node->address & format::kObjectTag) != 0) {
    node = node_at(lane, node->parent);
  }
  const std::uint64_t address = node->address & format::kAddressMask;
  for (const format::Operation operation :
       {format::Operation::k___cxa_throw, format::Operation::k___cxa_rethrow,
        format::Operation::k_std_rethrow_exception}) {
    if (address == (format::kOperationTag | static_cast<std::uint64_t>(operation))) {
      return true;
    }
  }
  return false;
}

// Ends the innermost open call, which was left without a return.
void pop_left_call(Lane* lane, std::uint64_t now_ticks) {
  const Node* node = call_at(lane, *top_of(lane)).node;
  if (node == nullptr || !is_throw(lane, node)) {
    lane->frames_repaired += 1;
  }
  pop_call(lane, now_ticks);
}

// Ends calls whose frames lie below `sp` on the same stack: they were left without a return.
void pop_abandoned(Lane* lane, std::uint64_t sp) {
  SignalStack stack;
  if (innermost(lane)->sp >= sp || on_signal_stack(sp, stack)) {
    return;
  }
  const std::uint64_t now_ticks = ticks();
  while (has_open_calls(lane) && innermost(lane)->sp < sp) {
    pop_left_call(lane, now_ticks);
  }
}

// `start_ticks` 0: now.
void push_call(Lane* lane, Node* node, std::uint64_t sp, std::uint64_t flags,
               std::uint64_t start_ticks) {
  if (lane->top % kStackCheckBytes == 0) {
    make_stack_ready(lane);
  }
  auto* entry = const_cast<volatile Entry*>(top_of(lane) - 1);
  entry->node = lane->cells;
  entry->flags = 0;
  signal_fence();
  lane->top = reinterpret_cast<std::uint64_t>(entry);
  signal_fence();
  entry->sp = sp;
  entry->start_ticks = start_ticks;
  if (flags != 0) {
    entry->flags = std::uint64_t{cell_of(lane, node)} << format::kEntryCellShift | flags;
  } else {
    entry->node = reinterpret_cast<std::uint64_t>(node);
  }
  constexpr std::uint64_t kTimeless = format::kEntryUncounted | format::kEntryUntimed;
  if ((flags & kTimeless) == 0) {
    entry->start_ticks = ticks();
  }
}

// One call in 16 of a demoted function is timed; which one is as good as random, so that no pattern
// of the program's can fall in step.
bool times_this_call(const format::NodeExtension& extension, const Node& node) {
  const std::uint64_t number = extension.untimed_calls + node.calls;
  return (number * 0x9e3779b97f4a7c15ULL) >> 60U == 0;
}

bool is_past_depth(const Lane* lane, const Entry* entry) {
  return (call_at(lane, *entry).flags & format::kEntryPastDepth) != 0;
}

std::uint64_t function_of(const Lane* lane, const Entry* entry) {
  if (is_past_depth(lane, entry)) {
    return entry->start_ticks;
  }
  const Node* node = call_at(lane, *entry).node;
  return node == nullptr ? 0 : node->address & ~format::kSpecialBit;
}

// The open call that `function`, whose hook was called at `sp`, returns from; null if there is
// none. Of several open calls of it (recursion), the innermost whose caller's frame is not below
// `sp`: the nearest stack pointer would be that caller's when the hook is called in tail position.
// Nearest is the rule only where another stack lies between.
const Entry* find_returning(const Lane* lane, std::uint64_t function, std::uint64_t sp) {
  const Entry* best = nullptr;
  std::uint64_t best_distance = ~std::uint64_t{0};
  const Entry* entry = innermost(lane);
  const Entry* base = base_of(lane);
  for (std::size_t seen = 0; entry < base && seen < kScanLimit; ++entry, ++seen) {
    if (function_of(lane, entry) != function) {
      continue;
    }
    const std::uint64_t distance = entry->sp > sp ? entry->sp - sp : sp - entry->sp;
    if (entry[1].sp >= sp && distance < kStackFrameLimit) {
      return entry;
    }
    if (distance < best_distance) {
      best = entry;
      best_distance = distance;
    }
    if (entry->sp >= sp && distance < kStackFrameLimit) {
      break;  // stack pointers only grow from here on
    }
  }
  return best;
}

}  // namespace

void settle_pending(Lane* lane, std::uint64_t next) {
  std::uint64_t last = lane->pending_duration;
  while (!replace_pending(lane, last, next)) {
    last = lane->pending_duration;
  }
  const std::uint32_t node = format::pending_cell(last);
  const std::uint32_t bucket = format::pending_bucket(last);
  if (node == format::kRootCell) {
    return;
  }
  if (format::HistogramCell* cell = histogram_cell(lane, node_at(lane, node), bucket)) {
    cell->count[bucket % format::kBucketsPerGroup] += 1;
  }
}

void enter_slowly(std::uint64_t function, std::uint64_t sp) {
  Lane* lane = ready_lane();
  if (lane == nullptr) {
    return;
  }
  pop_abandoned(lane, sp);
  if (lane->deep_calls != 0 || lane->top - sizeof(Entry) < lane->stack_limit) {
    lane->deep_calls += 1;
    lane->deep_calls_lost += 1;
    return;
  }
  const Entry* top = innermost(lane);
  Node* parent = call_at(lane, *top).node;
  if (is_past_depth(lane, top)) {
    return push_call(lane, parent, sp, kPastDepth, function);
  }
  const CallTarget target = find_target(lane, parent, function);
  if ((target.flags & format::kEntryPastDepth) != 0) {
    return push_call(lane, parent, sp, kPastDepth, function);
  }
  std::uint64_t flags = target.flags;
  const std::uint32_t mode = target.node->mode.load(std::memory_order_relaxed);
  if ((mode & format::kNodeExcluded) != 0) {
    flags |= format::kEntryUncounted;
  } else if ((mode & format::kNodeDemoted) != 0) {
    const format::NodeExtension* extension = extension_of(lane, target.node);
    if (extension != nullptr && !times_this_call(*extension, *target.node)) {
      flags |= format::kEntryUntimed;
    }
  }
  push_call(lane, target.node, sp, flags, 0);
  if (was_switched(lane)) {
    charge_switch_at_enter(lane);
  }
}

OpenCall innermost_special_call(const Lane* lane) {
  const Entry* entry = innermost(lane);
  return {call_at(lane, *entry).node, entry->sp, is_past_depth(lane, entry)};
}

bool prepare_call_slowly(Lane* lane, std::uint64_t sp) {
  pop_abandoned(lane, sp + 1);  // one frame has one operation open at a time
  return lane->deep_calls == 0 && lane->top - kOperationRoom >= lane->stack_limit &&
         !is_past_depth(lane, innermost(lane));
}

void open_call(Lane* lane, Node* node, std::uint64_t sp, std::uint64_t flags) {
  push_call(lane, node, sp, flags, 0);
  if (was_switched(lane)) {
    charge_switch_at_enter(lane);
  }
}

bool close_calls(Lane* lane, std::uint64_t sp, std::uint64_t now_ticks) {
  while (has_open_calls(lane) && top_of(lane)->sp < sp) {
    pop_left_call(lane, now_ticks);
  }
  const Entry* outer = top_of(lane);
  while (outer < base_of(lane) && outer->sp == sp) {
    ++outer;
  }
  if (outer == top_of(lane)) {
    return false;
  }
  if (was_switched(lane)) {
    sync_cpu(lane, {top_of(lane), outer, now_ticks});
  }
  while (top_of(lane) < outer) {
    pop_call(lane, now_ticks);
  }
  return true;
}

void charge_switch_at_enter(Lane* lane) {
  const Entry* entry = top_of(lane);
  const Entry* caller = has_open_calls(lane) ? entry + 1 : entry;
  sync_cpu(lane, {caller, entry, entry->start_ticks});
}

void exit_slowly(std::uint64_t function, std::uint64_t sp, std::uint64_t now_ticks) {
  if (t_thread.lane == nullptr && (t_thread.busy != 0 || t_thread.refused != 0)) {
    return;  // as for its enter, which was counted
  }
  Lane* lane = ready_lane();
  if (lane == nullptr) {
    return;
  }
  if (lane->deep_calls != 0) {
    lane->deep_calls -= 1;
    return;
  }
  const Entry* returning = find_returning(lane, function, sp);
  if (returning == nullptr) {
    lane->orphan_exits += 1;
    return;
  }
  while (top_of(lane) < returning) {
    pop_left_call(lane, now_ticks);
  }
  if (was_switched(lane)) {
    sync_cpu(lane, {returning, returning + 1, now_ticks});
  }
  pop_call(lane, now_ticks);
}

void settle_call(Lane* lane, std::uint64_t next, std::uint64_t start_ticks,
                 std::uint64_t duration_ticks) {
  settle_pending(lane, next);
  if (duration_ticks >= lane->span_threshold_ticks) {
    push_span(lane, format::pending_cell(next), start_ticks, duration_ticks);
  }
}

void record_jump(std::uint64_t target_sp, std::uint64_t own_sp) {
  Lane* lane = t_thread.lane;
  if (lane == nullptr || g_fork_page.recording == 0) {
    return;
  }
  const std::uint64_t now_ticks = ticks();
  const auto end_innermost = [&] { pop_left_call(lane, now_ticks); };
  SignalStack stack;
  if (on_signal_stack(own_sp, stack) && !stack.holds(target_sp)) {
    while (has_open_calls(lane) && stack.holds(innermost(lane)->sp)) {
      end_innermost();
    }
  }
  while (has_open_calls(lane) && innermost(lane)->sp < target_sp) {
    end_innermost();
  }
}

}  // namespace spyglass::runtime
