// SPDX-License-Identifier: Apache-2.0
// The malloc family. The real function does what it always did; what it gave is recorded after,
// what it takes is recorded before.
#include <cerrno>

#include "preload/allocation_call.h"
#include "preload/early_memory.h"
#include "preload/hook.h"
#include "recorder/runtime/clock.h"

namespace spyglass::hooks {
namespace {

constexpr std::size_t kPage = 4096;

std::size_t product(std::size_t count, std::size_t bytes) {
  std::size_t all = 0;
  return __builtin_mul_overflow(count, bytes, &all) ? ~std::size_t{0} : all;
}

using runtime::caller_point;

// The program lets an early block grow.
void* outgrow_early(const void* block, std::size_t bytes) {
  void* fresh = allocator_is_known() ? real::malloc(bytes) : allocate_early(bytes, 1);
  if (fresh != nullptr) {
    const std::size_t known = size_of_early(block);
    __builtin_memcpy(fresh, block, known < bytes ? known : bytes);
  }
  return fresh;
}

void* reallocate_early(void* block, std::size_t bytes) {
  return block == nullptr ? allocate_early(bytes, 1) : outgrow_early(block, bytes);
}

// The hook of a function that gives `bytes`: before the real one is known, from a place of ours.
template <Operation kOperation, typename Real, typename... Arguments>
[[gnu::always_inline]] inline void* allocate_by(Real* const& real, std::size_t bytes,
                                                std::size_t alignment, Arguments... arguments) {
  if (!allocator_is_known()) {
    return allocate_early(bytes, alignment);
  }
  return allocate<kOperation>(caller_point(), bytes, [&] { return real(arguments...); });
}

template <typename Real>
[[gnu::always_inline]] inline void give_back_by(Real* const& real, void* block) {
  if (!is_early(block) && allocator_is_known()) {
    give_back<Operation::k_free>(block, [&] { real(block); });
  }
}

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline void* reallocate(const StackPoint& caller, void* block,
                                               std::size_t bytes, Call call) {
  if (__builtin_expect(static_cast<long>(is_early(block)), 0) != 0) {
    return outgrow_early(block, bytes);
  }
  if (block == nullptr) {
    return allocate<kOperation>(caller, bytes, call);
  }
  if (runtime::g_memory_mode == format::MemoryMode::kOff || !runtime::enters_allocator(own_sp())) {
    return call();
  }
  const std::uint64_t before_ticks = runtime::ticks();
  void* moved = call();
  runtime::leave_allocator();
  note_reallocation(kOperation, caller, {block, before_ticks}, moved, bytes);
  return moved;
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using hooks::Operation;
using spyglass::runtime::caller_point;

extern "C" {

void* hook_malloc(size_t bytes) {
  return hooks::allocate_by<Operation::k_malloc>(real::malloc, bytes, 1, bytes);
}

void* hook___libc_malloc(size_t bytes) {
  return hooks::allocate_by<Operation::k_malloc>(real::__libc_malloc, bytes, 1, bytes);
}

void* hook_calloc(size_t count, size_t bytes) {
  const std::size_t all = hooks::product(count, bytes);
  return hooks::allocate_by<Operation::k_calloc>(real::calloc, all, 1, count, bytes);
}

void* hook___libc_calloc(size_t count, size_t bytes) {
  const std::size_t all = hooks::product(count, bytes);
  return hooks::allocate_by<Operation::k_calloc>(real::__libc_calloc, all, 1, count, bytes);
}

void hook_free(void* block) { hooks::give_back_by(real::free, block); }

void hook___libc_free(void* block) { hooks::give_back_by(real::__libc_free, block); }

// Gone from libc's headers; old programs have it.
void hook_cfree(void* block) {
  hooks::give_back_by(real::cfree != nullptr ? real::cfree : real::free, block);
}

void* hook_realloc(void* block, size_t bytes) {
  if (!hooks::allocator_is_known()) {
    return hooks::reallocate_early(block, bytes);
  }
  return hooks::reallocate<Operation::k_realloc>(caller_point(), block, bytes,
                                                 [&] { return real::realloc(block, bytes); });
}

void* hook___libc_realloc(void* block, size_t bytes) {
  if (!hooks::allocator_is_known()) {
    return hooks::reallocate_early(block, bytes);
  }
  return hooks::reallocate<Operation::k_realloc>(
      caller_point(), block, bytes, [&] { return real::__libc_realloc(block, bytes); });
}

void* hook_reallocarray(void* block, size_t count, size_t bytes) {
  real::make_ready();
  return hooks::reallocate<Operation::k_reallocarray>(
      caller_point(), block, hooks::product(count, bytes),
      [&] { return real::reallocarray(block, count, bytes); });
}

void* hook_memalign(size_t alignment, size_t bytes) {
  return hooks::allocate_by<Operation::k_memalign>(real::memalign, bytes, alignment, alignment,
                                                   bytes);
}

void* hook___libc_memalign(size_t alignment, size_t bytes) {
  return hooks::allocate_by<Operation::k_memalign>(real::__libc_memalign, bytes, alignment,
                                                   alignment, bytes);
}

void* hook_aligned_alloc(size_t alignment, size_t bytes) {
  return hooks::allocate_by<Operation::k_aligned_alloc>(real::aligned_alloc, bytes, alignment,
                                                        alignment, bytes);
}

int hook_posix_memalign(void** block, size_t alignment, size_t bytes) {
  if (!hooks::allocator_is_known()) {
    *block = hooks::allocate_early(bytes, alignment);
    return *block != nullptr ? 0 : ENOMEM;
  }
  int error = 0;
  hooks::allocate<Operation::k_posix_memalign>(caller_point(), bytes, [&]() -> void* {
    error = real::posix_memalign(block, alignment, bytes);
    return error == 0 ? *block : nullptr;
  });
  return error;
}

void* hook_valloc(size_t bytes) {
  return hooks::allocate_by<Operation::k_valloc>(real::valloc, bytes, hooks::kPage, bytes);
}

void* hook___libc_valloc(size_t bytes) {
  return hooks::allocate_by<Operation::k_valloc>(real::__libc_valloc, bytes, hooks::kPage, bytes);
}

void* hook_pvalloc(size_t bytes) {
  return hooks::allocate_by<Operation::k_pvalloc>(real::pvalloc, bytes, hooks::kPage, bytes);
}

void* hook___libc_pvalloc(size_t bytes) {
  return hooks::allocate_by<Operation::k_pvalloc>(real::__libc_pvalloc, bytes, hooks::kPage, bytes);
}

size_t hook_malloc_usable_size(void* block) {
  if (hooks::is_early(block)) {
    return hooks::size_of_early(block);
  }
  real::make_ready();
  return real::malloc_usable_size(block);
}

}  // extern "C"
