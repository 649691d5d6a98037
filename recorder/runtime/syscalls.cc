// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {

constinit std::uint32_t g_kernel_restricted = 0;

std::uint32_t restrict_kernel(std::uint32_t restricted) {
  return __atomic_exchange_n(&g_kernel_restricted, restricted, __ATOMIC_RELAXED);
}

}  // namespace spyglass::runtime
