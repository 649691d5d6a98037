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

// The same at this place among the instructions: `known` is computed before it, and nothing that
// stands behind it is loaded earlier. Many processors finish all that comes before a time stamp and
// begin nothing behind it, but for some 15 cycles on either side; so what a hook must wait for is
// spread over both sides of each of its two.
[[gnu::always_inline]] inline std::uint64_t ticks_after(std::uint64_t known) {
  std::uint64_t low = 0;  // rdtsc clears the upper halves
  std::uint64_t high = 0;
  asm volatile("rdtsc" : "=a"(low), "=d"(high) : "r"(known) : "memory");
  return high << 32U | low;
}

inline std::uint64_t thread_cpu_ns() {
  std::int64_t now[2] = {0, 0};
  kernel(SYS_clock_gettime, CLOCK_THREAD_CPUTIME_ID, now);
  return static_cast<std::uint64_t>(now[0]) * 1'000'000'000U + static_cast<std::uint64_t>(now[1]);
}

}  // namespace spyglass::runtime
