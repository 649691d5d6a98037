// SPDX-License-Identifier: Apache-2.0
// allocation_call.h - a hook's call of the real allocator, recorded.
//
// An allocator may call another of its own public functions, or of the next allocator; only the
// outermost call is the program's.
//
//   Where    preload/; what is hot is inlined into the hook, whose frame caller_point() describes.
//   Errors   errno is what the real function left.
#pragma once

#include <cstddef>
#include <cstdint>

#include "recorder/runtime/allocations.h"
#include "recorder/runtime/stack_point.h"

namespace spyglass::hooks {

using format::Operation;
using runtime::StackPoint;

[[gnu::always_inline]] inline std::uint64_t own_sp() {
  return reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
}

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline void* allocate(const StackPoint& caller, std::size_t bytes,
                                             Call call) {
  if (runtime::g_memory_mode == format::MemoryMode::kOff || !runtime::enters_allocator(own_sp())) {
    return call();
  }
  void* block = call();
  runtime::leave_allocator();
  if (runtime::keeps_allocation(bytes)) {
    runtime::record_allocation(kOperation, caller, block, bytes);
  } else {
    runtime::t_memory.wanted = 0;
  }
  return block;
}

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline void give_back(void* block, Call call) {
  if (runtime::g_memory_mode == format::MemoryMode::kOff || block == nullptr ||
      !runtime::enters_allocator(own_sp())) {
    return call();
  }
  if (__builtin_expect(static_cast<long>(runtime::t_memory.released == block), 0) != 0) {
    runtime::t_memory.released = nullptr;  // operator delete's doing
  } else if (runtime::keeps_release(block)) {
    runtime::record_release(kOperation, block);
  }
  call();
  runtime::leave_allocator();
}

struct GivenBlock {
  const void* address;
  std::uint64_t before_ticks;  // from before realloc() was called
};

// What realloc() did with a block, as seen by its result.
[[gnu::noinline]] void note_reallocation(Operation operation, const StackPoint& caller,
                                         const GivenBlock& given, const void* moved,
                                         std::size_t bytes);

}  // namespace spyglass::hooks
