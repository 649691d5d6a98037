// SPDX-License-Identifier: Apache-2.0
// syscalls.h - the kernel, without libc: no errno, no cancellation point, nothing that can be
// interposed.
//
//   Where    target side, set-up and rare paths only; hooks make no system call per event.
//   Errors   negative errno, as the kernel returns it.
#pragma once

#include <sys/syscall.h>

#include <cstdint>
#include <type_traits>

namespace spyglass::runtime {

// 1: the program forbids itself system calls (seccomp), and ours could end it. Then the kernel is
// left alone for good, and all calls fail. Set by the program's own thread; see restrict_kernel().
extern std::uint32_t g_kernel_restricted;

// From now on, in this process and its children. Returns what was before, to be put back when the
// program's own call fails.
std::uint32_t restrict_kernel(std::uint32_t restricted);

// Pointers and integers alike fill a register.
template <typename T>
inline long register_word(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return reinterpret_cast<long>(value);
  } else {
    return static_cast<long>(value);
  }
}

inline constexpr long kKernelRestricted = -38;  // -ENOSYS

template <typename... Args>
inline long kernel(long number, Args... args) {
  static_assert(sizeof...(Args) <= 6);
  if (__builtin_expect(static_cast<long>(g_kernel_restricted), 0) != 0) {
    return kKernelRestricted;
  }
  const long values[6] = {register_word(args)...};
  long result = 0;
  register long r10 asm("r10") = values[3];
  register long r8 asm("r8") = values[4];
  register long r9 asm("r9") = values[5];
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(values[0]), "S"(values[1]), "d"(values[2]), "r"(r10), "r"(r8),
                 "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

// Wakes up to `count` waiters of a futex that is shared between processes.
inline void futex_wake(const void* word, int count) {
  constexpr int kFutexWake = 1;
  kernel(SYS_futex, word, kFutexWake, count, 0, 0, 0);
}

// Sleeps while *word == expected, at most `timeout_ns`. May return early.
inline void futex_wait(const void* word, std::uint32_t expected, std::uint64_t timeout_ns) {
  constexpr int kFutexWait = 0;
  const std::int64_t timeout[2] = {static_cast<std::int64_t>(timeout_ns / 1'000'000'000U),
                                   static_cast<std::int64_t>(timeout_ns % 1'000'000'000U)};
  kernel(SYS_futex, word, kFutexWait, expected, timeout, 0, 0);
}

}  // namespace spyglass::runtime
