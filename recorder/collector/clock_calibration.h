// SPDX-License-Identifier: Apache-2.0
// clock_calibration.h - the session's clock: what a tick is in nanoseconds.
//
// The processor's statement is taken if it makes one, else the clocks are compared over the time
// since `begin`, at least 2 ms: that is within 60 ppm. The kernel's own factors, in the control
// page of a perf event, would cost more: the system's first event takes 10 ms to open. Readers know
// better in the end, from the samples at both ends of the session.
//
//   Where    collector.
#pragma once

#include <x86intrin.h>

#include <cstdint>

#include "format/records.h"

namespace spyglass::collector {

inline std::uint64_t now_ticks() { return __rdtsc(); }

// The same moment on all three clocks, as close as a few tries get.
format::ClockSample sample_clocks();

// q60: nanoseconds = ticks * this / 2^60. `begin`: a sample from as long ago as possible.
std::uint64_t calibrate_clock(const format::ClockSample& begin);

std::uint64_t ticks_of_ns(std::uint64_t duration_ns, std::uint64_t ns_per_tick_q60);
std::uint64_t ns_of_ticks(std::uint64_t ticks, std::uint64_t ns_per_tick_q60);

}  // namespace spyglass::collector
