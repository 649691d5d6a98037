// SPDX-License-Identifier: Apache-2.0
// seccomp: a program that forbids itself system calls would be ended by ours, so they stop first.
// Recording goes on in shared memory; new threads and fatal signals are not recorded. Where the
// time stamp counter is forbidden, too (strict mode), recording ends.
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstdint>

#include "preload/hook.h"
#include "preload/signals.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::hooks {
namespace {

// What `call` takes from the program when it succeeds.
struct Restriction {
  bool stops_clock;         // the time stamp counter
  bool forbids_calls;       // our system calls
  bool returns_descriptor;  // and is no failure because of that
};

template <typename Call>
auto restrict_by(const Restriction& restriction, Call call) {
  runtime::start_session();  // later it could not
  const bool released = restriction.forbids_calls && release_fatal_signals();
  const std::uint32_t before = runtime::restrict_kernel(1);
  const bool paused = restriction.stops_clock && runtime::pause_recording();
  const auto result = call();
  // A filter for all threads returns a thread's number where it fails.
  const bool failed = restriction.returns_descriptor ? result < 0 : result != 0;
  if (failed || !restriction.forbids_calls) {
    runtime::restrict_kernel(before);
  }
  if (failed && paused) {
    runtime::resume_recording();
  } else if (paused) {
    runtime::note_unseen(format::kUnseenSinceNoClock);
  }
  if (failed && released) {
    take_fatal_signals();
  }
  return result;
}

// `call` is prctl(option, a, …).
template <typename Call>
auto control_by(long option, unsigned long a, Call call) {
  // Both make the time stamp counter a fault.
  const bool stops_clock = (option == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT) ||
                           (option == PR_SET_TSC && a == PR_TSC_SIGSEGV);
  if (option == PR_SET_NAME) {
    const auto result = call();
    if (result == 0) {
      runtime::note_thread_name();
    }
    return result;
  }
  if (option != PR_SET_SECCOMP && !stops_clock) {
    return call();
  }
  return restrict_by({.stops_clock = stops_clock,
                      .forbids_calls = option == PR_SET_SECCOMP,
                      .returns_descriptor = false},
                     call);
}

// `call` is seccomp(operation, flags, …).
template <typename Call>
auto filter_by(unsigned operation, unsigned flags, Call call) {
  if (operation != SECCOMP_SET_MODE_STRICT && operation != SECCOMP_SET_MODE_FILTER) {
    return call();
  }
  return restrict_by({.stops_clock = operation == SECCOMP_SET_MODE_STRICT,
                      .forbids_calls = true,
                      .returns_descriptor = (flags & SECCOMP_FILTER_FLAG_NEW_LISTENER) != 0},
                     call);
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;

extern "C" {

int hook_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  real::make_ready();
  return hooks::control_by(option, a, [&] { return real::prctl(option, a, b, c, d); });
}

// All but two numbers must leave by a jump, which compilers don't make of a call with seven
// arguments: what makes threads returns on another stack. SYS_prctl is 157, SYS_seccomp 317.
asm(R"(
  .text
  .globl syscall
  .type syscall, @function
syscall:
  .cfi_startproc
  cmpq $157, %rdi
  je spyglass_syscall_slowly
  cmpq $317, %rdi
  je spyglass_syscall_slowly
  movq spyglass_real_syscall(%rip), %rax
  testq %rax, %rax
  je spyglass_syscall_slowly
  jmp *%rax
  .cfi_endproc
  .size syscall, . - syscall
)");
static_assert(SYS_prctl == 157 && SYS_seccomp == 317);

[[gnu::used, gnu::visibility("hidden")]] long (*spyglass_real_syscall)(long, long, long, long, long,
                                                                       long, long) = nullptr;

[[gnu::used, gnu::visibility("hidden")]] long spyglass_syscall_slowly(long number, long a, long b,
                                                                      long c, long d, long e,
                                                                      long f) {
  real::make_ready();
  __atomic_store_n(&spyglass_real_syscall, real::syscall, __ATOMIC_RELAXED);
  const auto call = [&] { return real::syscall(number, a, b, c, d, e, f); };
  switch (number) {
    case SYS_prctl:
      return hooks::control_by(a, static_cast<unsigned long>(b), call);
    case SYS_seccomp:
      return hooks::filter_by(static_cast<unsigned>(a), static_cast<unsigned>(b), call);
    default:
      return call();
  }
}

}  // extern "C"
