// SPDX-License-Identifier: Apache-2.0
// early_memory.h - memory for who asks before the real allocator is known.
//
// dlsym() may allocate, and it is dlsym() that finds malloc(); resolvers of indirect functions run
// while this library's own addresses are not yet in place. Blocks from here are recognised for
// ever: giving one back does nothing.
//
//   Where    preload/; before and while real::resolve() works. Touches no other data of ours.
//   Threads  any.
//   Memory   64 KiB, never reused.
//   Errors   null when that is used up.
#pragma once

#include <cstddef>
#include <cstdint>

#include "preload/real.h"

namespace spyglass::hooks {

inline constexpr std::size_t kEarlyBytes = std::size_t{64} << 10U;
extern char g_early_memory[kEarlyBytes];

inline bool is_early(const void* block) {
  return reinterpret_cast<std::uint64_t>(block) - reinterpret_cast<std::uint64_t>(g_early_memory) <
         kEarlyBytes;
}

// Zeroed. `alignment` is a power of two.
void* allocate_early(std::size_t bytes, std::size_t alignment);
// Requires: is_early(block).
std::size_t size_of_early(const void* block);

// Looks the real allocator up. False: that is being done, or it is too early for it.
[[gnu::cold, gnu::noinline]] bool find_allocator();

// format::kAllocator* of this program. Looks symbols up.
std::uint32_t allocator_traits();

inline bool allocator_is_known() {
  return __builtin_expect(static_cast<long>(real::g_resolved), 1) != 0 || find_allocator();
}

}  // namespace spyglass::hooks
