// SPDX-License-Identifier: Apache-2.0
// record.h - the only door for hooks: a call begins, a call ends.
//
// The hot path has no side effect until every test has passed; any test that fails hands the whole
// call to the slow way, which does it all again with every case considered. Order of stores matters
// in two places, for signal handlers that interrupt a hook and for SIGKILL at any instruction:
//  - enter publishes the entry (lane->top), then fills it, the node last: a handler in between
//  finds it
//    vacant, works above it and leaves it as it was;
//  - exit gives the entry up, vacant, then counts: a call is never seen open and counted.
//
//   Where    target side, inside hooks.
//   Threads  each on its own lane.
//   Errors   none; what can't be recorded is counted.
#pragma once

#include <cstdint>

#include "format/arena.h"
#include "recorder/runtime/bucket_table.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/cpu_clock.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/span_ring.h"
#include "recorder/runtime/stack_point.h"

namespace spyglass::runtime {

[[gnu::cold, gnu::noinline]] void enter_slowly(std::uint64_t function, std::uint64_t sp);
[[gnu::cold, gnu::noinline]] void exit_slowly(std::uint64_t function, std::uint64_t sp,
                                              std::uint64_t now_ticks);

// The thread was switched, as seen right after the innermost call began.
[[gnu::cold, gnu::noinline]] void charge_switch_at_enter(format::Lane* lane);

// The innermost call that is open (counted or not) and the node that it means. A handler that
// interrupted a hook finds the hook's entry vacant: then the one before.
struct OpenCall {
  format::Node* node;
  std::uint64_t
      sp;  // frames whose caller's stack pointer is above belong to this call or further out
  bool past_depth;  // --max-depth: nothing below is recorded
};
inline OpenCall innermost_call(const format::Lane* lane);

// `caller` does an operation, on the thread's lane: closes the calls that were left below it.
// False: there is no room on the shadow stack, or --max-depth is reached.
inline bool prepare_call(format::Lane* lane, const StackPoint& caller);
// Opens a call of `node` now. `flags`: of format::Entry. Requires: prepare_call().
void open_call(format::Lane* lane, format::Node* node, std::uint64_t sp, std::uint64_t flags);
// Closes the calls opened at `sp`, and any that were left below. False: there are none.
bool close_calls(format::Lane* lane, std::uint64_t sp, std::uint64_t now_ticks);

// The program jumps (longjmp) to a frame whose stack pointer is `target_sp`: the calls in between
// end.
void record_jump(std::uint64_t target_sp, std::uint64_t own_sp);

inline bool rare(bool condition) { return __builtin_expect(static_cast<long>(condition), 0) != 0; }
// Keeps the compiler from moving stores across, as the two notes above need. x86 keeps their order.
// The same where the entry is special or vacant, or calls were abandoned.
[[gnu::cold, gnu::noinline]] OpenCall innermost_special_call(const format::Lane* lane);
[[gnu::cold, gnu::noinline]] bool prepare_call_slowly(format::Lane* lane, std::uint64_t sp);

inline bool is_ordinary(const format::Lane* lane, const format::Entry& entry) {
  return entry.node != lane->cells && entry.node != 0;
}

inline OpenCall innermost_call(const format::Lane* lane) {
  const format::Entry* top = top_of(lane);
  if (rare(!is_ordinary(lane, *top))) {
    return innermost_special_call(lane);
  }
  return {reinterpret_cast<format::Node*>(top->node), top->sp, false};
}

// Where an operation stands on the shadow stack: below the stack pointer of its caller, which the
// caller's own call has, too, and above those of all that it calls.
inline std::uint64_t operation_sp(const StackPoint& caller) {
  constexpr std::uint64_t kFrameBytes = 16;  // what a call leaves on the stack, aligned
  return caller.sp - kFrameBytes;
}

inline constexpr std::uint64_t kOperationRoom = 2 * sizeof(format::Entry);  // with its object

inline bool prepare_call(format::Lane* lane, const StackPoint& caller) {
  const std::uint64_t sp = operation_sp(caller);
  const format::Entry* top = top_of(lane);
  if (rare(!is_ordinary(lane, *top) || top->sp <= sp || lane->deep_calls != 0 ||
           lane->top - kOperationRoom < lane->stack_limit)) {
    return prepare_call_slowly(lane, sp);
  }
  return true;
}

inline void signal_fence() { asm volatile("" ::: "memory"); }

// Where the shadow stack crosses one of these boundaries, a call takes the slow way, which looks
// whether there is room and marks the entries ahead vacant: cheaper than a test of the limit on
// every call.
inline constexpr std::uint64_t kStackCheckBytes = 4096;

// `function` begins; `sp` is the stack pointer at the call of the hook.
[[gnu::always_inline]] inline void record_enter(std::uint64_t function, std::uint64_t sp) {
  format::Lane* lane = t_thread.lane;
  if (rare(lane == nullptr || g_fork_page.recording == 0)) {
    return enter_slowly(function, sp);
  }
  const format::Entry* top = top_of(lane);
  // By hash, not by a guess such as the last child: in real code siblings alternate, and under a
  // time stamp loads cost nothing but a mispredicted branch does (stl_heavy: 32 ns a call, so 22).
  // The parent is found before the time stamp, the callee behind: see ticks_after(). With all of it
  // before, a call took 8 ns more on Intel.
  const std::uint32_t parent_cell = cell_of(lane, reinterpret_cast<const void*>(top->node));
  const std::uint64_t start_ticks = ticks_after(parent_cell);
  format::Node* node = node_at(lane, *lookup_slot(lane, parent_cell, function));
  if (rare(node->parent != parent_cell || node->address != function || top->sp < sp ||
           reinterpret_cast<std::uint64_t>(top) % kStackCheckBytes == 0)) {
    return enter_slowly(function, sp);
  }
  auto* entry = const_cast<volatile format::Entry*>(top - 1);
  lane->top = reinterpret_cast<std::uint64_t>(entry);
  signal_fence();
  entry->sp = sp;
  entry->start_ticks = start_ticks;
  entry->node = reinterpret_cast<std::uint64_t>(node);
  // After the time stamp, where hooks spend most of their time: a switch before it is the caller's.
  if (rare(was_switched(lane))) {
    charge_switch_at_enter(lane);
  }
}

// Replaces Lane::pending_duration if it still is `last`, by one instruction. No lock prefix: only
// signal handlers of the same thread can come in between, and each pending duration must be counted
// once.
[[gnu::always_inline]] inline bool replace_pending(format::Lane* lane, std::uint64_t last,
                                                   std::uint64_t next) {
  bool replaced = false;
  asm volatile("cmpxchgq %3, %1"
               : "+a"(last), "+m"(lane->pending_duration), "=@ccz"(replaced)
               : "r"(next)
               : "memory");
  return replaced;
}

// Counts what is pending in its histogram and leaves `next` pending. Any case.
[[gnu::cold, gnu::noinline]] void settle_pending(format::Lane* lane, std::uint64_t next);
// The rest of record_exit() where that is to be done. Called last, so that the hot path keeps no
// register for later.
[[gnu::cold, gnu::noinline]] void settle_call(format::Lane* lane, std::uint64_t next,
                                              std::uint64_t start_ticks,
                                              std::uint64_t duration_ticks);

// `function` returns. Takes the time first, but for the way to its entry, which is known by then.
//
// The histogram is one call behind: what this call adds to it is looked up when the next one ends.
// Its cell depends on the time stamp, and neither a branch nor a store address that does may stand
// before the next hook's time stamp, which would wait for it (10 ns a call, measured).
[[gnu::always_inline]] inline void record_exit(std::uint64_t function, std::uint64_t sp) {
  format::Lane* lane = t_thread.lane;
  if (rare(lane == nullptr || g_fork_page.recording == 0)) {
    return exit_slowly(function, sp, ticks());
  }
  format::Entry* entry = top_of(lane);
  const std::uint64_t now_ticks = ticks_after(reinterpret_cast<std::uint64_t>(entry));
  auto* node = reinterpret_cast<format::Node*>(entry->node);
  const std::uint64_t start_ticks = entry->start_ticks;
  // A clock that ran backwards makes this huge, which the slow way for spans sorts out.
  const std::uint64_t duration_ticks = now_ticks - start_ticks;
  const std::uint64_t last = lane->pending_duration;
  const std::uint32_t last_group =
      node_at(lane, format::pending_cell(last))
          ->histogram[format::pending_bucket(last) / format::kBucketsPerGroup];
  // entry[1].sp: a hook called in tail position sees the stack pointer of the caller's frame, never
  // more.
  if (rare(node->address != function || last_group == 0 || entry[1].sp < sp ||
           was_switched(lane))) {
    return exit_slowly(function, sp, now_ticks);
  }
  signal_fence();
  entry->node = lane->cells;
  lane->top = reinterpret_cast<std::uint64_t>(entry + 1);
  signal_fence();
  node->calls += 1;
  node->total_ticks += duration_ticks;
  if (rare(duration_ticks < node->min_ticks)) {
    node->min_ticks = duration_ticks;
  }
  if (rare(duration_ticks > node->max_ticks)) {
    node->max_ticks = duration_ticks;
  }
  const std::uint64_t next =
      format::pending_of(cell_of(lane, node), bucket_of_ticks(duration_ticks));
  if (rare(!replace_pending(lane, last, next))) {
    return settle_call(lane, next, start_ticks, duration_ticks);
  }
  auto* cell = reinterpret_cast<format::HistogramCell*>(node_at(lane, last_group));
  cell->count[format::pending_bucket(last) % format::kBucketsPerGroup] += 1;
  if (rare(duration_ticks >= lane->span_threshold_ticks)) {
    push_span(lane, cell_of(lane, node), start_ticks, duration_ticks);
  }
}

}  // namespace spyglass::runtime
