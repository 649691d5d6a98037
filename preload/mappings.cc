// SPDX-License-Identifier: Apache-2.0
// Pages that the program itself takes from the kernel: anonymous ones, and the end of its data
// segment. What the allocator takes for itself does not come by here.
#include <sys/mman.h>

#include <cstdarg>
#include <cstdint>

#include "preload/allocation_call.h"
#include "preload/hook.h"
#include "recorder/runtime/clock.h"

namespace spyglass::hooks {
namespace {

std::uint64_t value_of(const void* address) { return reinterpret_cast<std::uint64_t>(address); }

// To be asked before the clock is: that is a fault where recording stopped for it.
bool records_pages() { return runtime::g_memory_mode != format::MemoryMode::kOff; }

template <typename Call>
[[gnu::always_inline]] inline void* map(const StackPoint& caller, std::size_t bytes, int flags,
                                        Call call) {
  if (!records_pages()) {
    return call();
  }
  const std::uint64_t before_ticks = runtime::ticks();
  void* where = call();
  if (where == MAP_FAILED) {
    return where;
  }
  if ((flags & MAP_FIXED) != 0 && (flags & MAP_FIXED_NOREPLACE) != MAP_FIXED_NOREPLACE) {
    runtime::record_unmap(Operation::k_mmap, value_of(where), bytes, before_ticks);
  }
  if ((flags & MAP_ANONYMOUS) != 0) {
    runtime::record_map(Operation::k_mmap, caller, value_of(where), bytes);
  }
  return where;
}

// The data segment's end went from `before` to `after`.
void note_break(const StackPoint& caller, std::uint64_t before, std::uint64_t after,
                std::uint64_t before_ticks) {
  if (after > before) {
    runtime::record_map(Operation::k_brk, caller, before, after - before);
  } else if (after < before) {
    runtime::record_unmap(Operation::k_brk, after, before - after, before_ticks);
  }
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
namespace runtime = spyglass::runtime;
using hooks::Operation;
using runtime::caller_point;

extern "C" {

void* hook_mmap(void* where, size_t bytes, int protection, int flags, int fd, off_t offset) {
  real::make_ready();
  return hooks::map(caller_point(), bytes, flags,
                    [&] { return real::mmap(where, bytes, protection, flags, fd, offset); });
}

void* hook_mmap64(void* where, size_t bytes, int protection, int flags, int fd, off_t offset) {
  real::make_ready();
  return hooks::map(caller_point(), bytes, flags,
                    [&] { return real::mmap64(where, bytes, protection, flags, fd, offset); });
}

int hook_munmap(void* where, size_t bytes) {
  real::make_ready();
  if (!hooks::records_pages()) {
    return real::munmap(where, bytes);
  }
  const std::uint64_t before_ticks = runtime::ticks();
  const int result = real::munmap(where, bytes);
  if (result == 0) {
    runtime::record_unmap(Operation::k_munmap, hooks::value_of(where), bytes, before_ticks);
  }
  return result;
}

void* hook_mremap(void* where, size_t bytes, size_t wanted, int flags, ...) {
  real::make_ready();
  va_list more;
  va_start(more, flags);
  void* target = (flags & MREMAP_FIXED) != 0 ? va_arg(more, void*) : nullptr;
  va_end(more);
  if (!hooks::records_pages()) {
    return real::mremap(where, bytes, wanted, flags, target);
  }
  const std::uint64_t before_ticks = runtime::ticks();
  void* result = real::mremap(where, bytes, wanted, flags, target);
  if (result != MAP_FAILED) {
    runtime::record_unmap(Operation::k_mremap, hooks::value_of(where), bytes, before_ticks);
    runtime::record_map(Operation::k_mremap, caller_point(), hooks::value_of(result), wanted);
  }
  return result;
}

int hook_brk(void* end) {
  real::make_ready();
  if (!hooks::records_pages()) {
    return real::brk(end);
  }
  const std::uint64_t before_ticks = runtime::ticks();
  const std::uint64_t before = hooks::value_of(real::sbrk(0));
  const int result = real::brk(end);
  if (result == 0) {
    hooks::note_break(caller_point(), before, hooks::value_of(end), before_ticks);
  }
  return result;
}

void* hook_sbrk(intptr_t bytes) {
  real::make_ready();
  if (!hooks::records_pages()) {
    return real::sbrk(bytes);
  }
  const std::uint64_t before_ticks = runtime::ticks();
  void* before = real::sbrk(bytes);
  if (bytes != 0 && before != reinterpret_cast<void*>(-1)) {
    const std::uint64_t start = hooks::value_of(before);
    hooks::note_break(caller_point(), start, start + static_cast<std::uint64_t>(bytes),
                      before_ticks);
  }
  return before;
}

}  // extern "C"
