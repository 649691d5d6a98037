// SPDX-License-Identifier: Apache-2.0
// clock_calibration.h - the session's clock: what a tick is in nanoseconds.
//
//   Where    collector. The kernel's own conversion factors are taken when it shows them (perf control
//            page), else the processor's statement, else 5 ms of measuring.
#pragma once

#include <x86intrin.h>

#include <cstdint>

#include "format/records.h"

namespace spyglass::collector {

inline std::uint64_t now_ticks() { return __rdtsc(); }

struct ClockRate {
  std::uint64_t ns_per_tick_q60 = 0;  // nanoseconds = ticks * this / 2^60
  const char* source = "";
};

ClockRate calibrate_clock();

// The same moment on all three clocks, as close as a few tries get.
format::ClockSample sample_clocks();

std::uint64_t ticks_of_ns(std::uint64_t duration_ns, std::uint64_t ns_per_tick_q60);
std::uint64_t ns_of_ticks(std::uint64_t ticks, std::uint64_t ns_per_tick_q60);

}  // namespace spyglass::collector
