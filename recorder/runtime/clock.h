// SPDX-License-Identifier: Apache-2.0
// clock.h - ticks of the session's clock (the invariant TSC) and the thread's CPU time.
//
//   Where    target side. ticks() in every hook; thread_cpu_ns() costs a system call, rare paths
//   only.
#pragma once

#include <x86intrin.h>

#include <cstdint>
#include <ctime>

#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {

// Not serializing on purpose: ordering it against the program would cost more than it tells.
inline std::uint64_t ticks() { return __rdtsc(); }

inline std::uint64_t thread_cpu_ns() {
  std::int64_t now[2] = {0, 0};
  kernel(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, now);
  return static_cast<std::uint64_t>(now[0]) * 1'000'000'000U + static_cast<std::uint64_t>(now[1]);
}

}  // namespace spyglass::runtime
