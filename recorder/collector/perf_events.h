// SPDX-License-Identifier: Apache-2.0
// perf_events.h - opens the kernel's CPU sampling of a process tree: one task-clock event for each
// CPU, inherited by all threads and children, each sample with the user registers and the top of
// the stack.
//
//   Where    collector.
//   Errors   which call was refused, and why.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "format/result.h"
#include "recorder/collector/perf_ring.h"

namespace spyglass::collector {

struct PerfEvents {
  std::vector<PerfRing> rings;    // one for each CPU
  std::uint32_t stack_bytes = 0;  // copied with each sample
};

// A process that is about to exec: its samples begin there.
Result<PerfEvents> open_perf_events(pid_t child, std::uint64_t interval_ns);

// A process that runs, with one thread: that one, and from now on what it starts.
Result<PerfEvents> attach_perf_events(pid_t process, std::uint64_t interval_ns);

}  // namespace spyglass::collector
