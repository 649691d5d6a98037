// SPDX-License-Identifier: Apache-2.0
// deadline.h - what glibc looks at before it looks at a lock or a semaphore.
//
//   Where    preload/.
#pragma once

#include <ctime>

namespace spyglass::hooks {

// False: a call with this deadline fails, even where it need not wait.
inline bool is_valid_deadline(clockid_t clock, const timespec* until) {
  return (clock == CLOCK_MONOTONIC || clock == CLOCK_REALTIME) && until->tv_nsec >= 0 &&
         until->tv_nsec < 1'000'000'000;
}

}  // namespace spyglass::hooks
