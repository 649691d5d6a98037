// SPDX-License-Identifier: Apache-2.0
// seccomp: a program that forbids itself system calls would be ended by ours, so they stop first.
// Recording goes on in shared memory; new threads are not recorded. Where the time stamp counter is
// forbidden, too (strict mode), recording ends.
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstdint>

#include "preload/hook.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::hooks {
namespace {

// `call` takes system calls or the time stamp counter from the program. `forbids_calls`: our
// system calls stay forbidden when it succeeds.
template <typename Call>
auto restrict_by(bool stops_clock, bool forbids_calls, Call call) {
  runtime::start_session();  // later it could not
  const std::uint32_t before = runtime::restrict_kernel(1);
  const bool paused = stops_clock && runtime::pause_recording();
  const auto result = call();
  if (result != 0 || !forbids_calls) {
    runtime::restrict_kernel(before);
  }
  if (result != 0 && paused) {
    runtime::resume_recording();
  }
  return result;
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;

extern "C" {

int hook_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
  real::make_ready();
  // Both make the time stamp counter a fault.
  const bool stops_clock = (option == PR_SET_SECCOMP && a == SECCOMP_MODE_STRICT) ||
                           (option == PR_SET_TSC && a == PR_TSC_SIGSEGV);
  if (option != PR_SET_SECCOMP && !stops_clock) {
    return real::prctl(option, a, b, c, d);
  }
  return hooks::restrict_by(stops_clock, option == PR_SET_SECCOMP,
                            [&] { return real::prctl(option, a, b, c, d); });
}

// All but one number must leave by a jump, which compilers don't make of a call with seven
// arguments: what makes threads returns on another stack. SYS_seccomp is 317.
asm(R"(
  .text
  .globl syscall
  .type syscall, @function
syscall:
  .cfi_startproc
  cmpq $317, %rdi
  je spyglass_syscall_slowly
  movq spyglass_real_syscall(%rip), %rax
  testq %rax, %rax
  je spyglass_syscall_slowly
  jmp *%rax
  .cfi_endproc
  .size syscall, . - syscall
)");
static_assert(SYS_seccomp == 317);

[[gnu::used, gnu::visibility("hidden")]] long (*spyglass_real_syscall)(long, long, long, long, long,
                                                                       long, long) = nullptr;

[[gnu::used, gnu::visibility("hidden")]] long spyglass_syscall_slowly(long number, long a, long b,
                                                                      long c, long d, long e,
                                                                      long f) {
  real::make_ready();
  __atomic_store_n(&spyglass_real_syscall, real::syscall, __ATOMIC_RELAXED);
  const auto call = [&] { return real::syscall(number, a, b, c, d, e, f); };
  if (number != SYS_seccomp || (a != SECCOMP_SET_MODE_STRICT && a != SECCOMP_SET_MODE_FILTER)) {
    return call();
  }
  return hooks::restrict_by(a == SECCOMP_SET_MODE_STRICT, true, call);
}

}  // extern "C"
