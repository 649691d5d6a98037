// SPDX-License-Identifier: Apache-2.0
// cpu_clock.h - which part of the wall time a thread spent off the CPU, charged to the node where
// it was.
//
// Exact way: the kernel changes a word when it switches the thread, in its area for restartable
// sequences (format/switch_sign.h) or, where there is none, in a perf event's control page; a hook
// compares it with the value seen last and only on a change reads the thread's CPU clock. Without
// either the clock is read at most every RecordingOptions::clock_interval_ticks (approximate).
//
//   Where    target side; sync_cpu is called by the slow way of hooks.
#pragma once

#include "format/arena.h"

namespace spyglass::runtime {

// Finds the calling thread's switch word and takes the first reading.
void start_cpu_clock(format::Lane* lane);

// Gives the switch word back to the kernel; the lane goes on in the approximate way.
void stop_cpu_clock(format::Lane* lane);

// A moment in a hook: before it the thread was in the call `before`, from it on in the call
// `after`.
struct Boundary {
  const format::Entry* before;
  const format::Entry* after;
  std::uint64_t ticks;
};

// Charges the time off the CPU since the last reading, if the thread was switched (exact) or enough
// time has passed (approximate), to the counted calls nearest to those of `boundary`, themselves or
// further out: to `after` what can have passed since the boundary, the rest to `before`.
void sync_cpu(format::Lane* lane, const Boundary& boundary);

// The same with one call, whether or not anything points to a switch.
void sync_cpu_now(format::Lane* lane, const format::Entry* entry);

// The process is about to end: reads the CPU clocks of all its other threads, which cannot any
// more.
void read_cpu_of_others(const format::Lane* own);

inline bool was_switched(const format::Lane* lane) {
  return *reinterpret_cast<const volatile std::uint32_t*>(lane->switch_word) != lane->switch_seen;
}

}  // namespace spyglass::runtime
