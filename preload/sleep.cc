// SPDX-License-Identifier: Apache-2.0
// Waits for time to pass or for a signal.
#include "preload/hook.h"
#include "preload/operation_call.h"

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;
using spyglass::runtime::OperationResult;

extern "C" {

unsigned hook_sleep(unsigned seconds) {
  real::make_ready();
  return hooks::record_call<Operation::k_sleep>(
      caller_point(), hooks::no_object, [&] { return real::sleep(seconds); },
      [](unsigned /*seconds left*/) { return OperationResult{}; });
}

int hook_usleep(useconds_t microseconds) {
  real::make_ready();
  return hooks::record_call<Operation::k_usleep>(
      caller_point(), hooks::no_object, [&] { return real::usleep(microseconds); },
      hooks::outcome_of_call<int>);
}

int hook_nanosleep(const timespec* wanted, timespec* left) {
  real::make_ready();
  return hooks::record_call<Operation::k_nanosleep>(
      caller_point(), hooks::no_object, [&] { return real::nanosleep(wanted, left); },
      hooks::outcome_of_call<int>);
}

int hook_clock_nanosleep(clockid_t clock, int flags, const timespec* wanted, timespec* left) {
  real::make_ready();
  return hooks::record_call<Operation::k_clock_nanosleep>(
      caller_point(), hooks::no_object,
      [&] { return real::clock_nanosleep(clock, flags, wanted, left); }, hooks::outcome_of_error);
}

int hook_thrd_sleep(const timespec* wanted, timespec* left) {
  real::make_ready();
  return hooks::record_call<Operation::k_thrd_sleep>(
      caller_point(), hooks::no_object, [&] { return real::thrd_sleep(wanted, left); },
      [](int result) -> OperationResult {
        return {0, result < -1};
      });
}

int hook_pause() {
  real::make_ready();
  return hooks::record_call<Operation::k_pause>(
      caller_point(), hooks::no_object, [] { return real::pause(); }, hooks::outcome_of_call<int>);
}

int hook_sigsuspend(const sigset_t* mask) {
  real::make_ready();
  return hooks::record_call<Operation::k_sigsuspend>(
      caller_point(), hooks::no_object, [&] { return real::sigsuspend(mask); },
      hooks::outcome_of_call<int>);
}

int hook_sigwait(const sigset_t* set, int* signal) {
  real::make_ready();
  return hooks::record_call<Operation::k_sigwait>(
      caller_point(), hooks::no_object, [&] { return real::sigwait(set, signal); },
      hooks::outcome_of_error);
}

int hook_sigwaitinfo(const sigset_t* set, siginfo_t* info) {
  real::make_ready();
  return hooks::record_call<Operation::k_sigwaitinfo>(
      caller_point(), hooks::no_object, [&] { return real::sigwaitinfo(set, info); },
      hooks::outcome_of_call<int>);
}

int hook_sigtimedwait(const sigset_t* set, siginfo_t* info, const timespec* timeout) {
  real::make_ready();
  return hooks::record_call<Operation::k_sigtimedwait>(
      caller_point(), hooks::no_object, [&] { return real::sigtimedwait(set, info, timeout); },
      hooks::outcome_of_call<int>);
}

}  // extern "C"
