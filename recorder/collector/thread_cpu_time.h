// SPDX-License-Identifier: Apache-2.0
// thread_cpu_time.h - how much CPU time a thread has used, by the thread's own word or by the
// kernel's last.
//
//   Where    collector thread.
//   Errors   whatever a hostile target writes becomes a wrong number of its own, nothing else.
#pragma once

#include <cstdint>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/counter_snapshot.h"
#include "recorder/collector/lane_view.h"

namespace spyglass::collector {

class ThreadCpuTime {
 public:
  ThreadCpuTime(const Arena& arena, const CounterSnapshot& snapshot);

  // The kernel says at `now_ticks` that the thread used `cpu_ns` in all of its life.
  void note_reading(LaneView& view, std::uint64_t cpu_ns, std::uint64_t now_ticks) const;

  // CPU time since the thread's first record until `end_ticks`. A thread that was killed has not
  // told: then the last reading bounds it from below and, with the time until it began to wait,
  // from above, and so does its wall time less the time off the CPU, which only calls tell. Of one
  // that makes none, the best guess is that it went on as before.
  std::uint64_t ns(const LaneView& view, std::uint64_t end_ticks) const;

 private:
  struct Reading {
    std::uint64_t ns = 0;  // of the thread's whole life
    std::uint64_t ticks = 0;
  };
  Reading last_reading(const LaneView& view, std::uint64_t end_ticks) const;
  std::uint64_t wall_ns(std::uint64_t from_ticks, std::uint64_t to_ticks) const;

  const Arena& arena_;
  const CounterSnapshot& snapshot_;
  std::uint64_t ns_per_tick_q60_;
};

}  // namespace spyglass::collector
