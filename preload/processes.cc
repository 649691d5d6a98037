// SPDX-License-Identifier: Apache-2.0
// Waits for children, and _exit, which leaves its status behind for collectors that are not the
// parent. exit() passes an on_exit handler instead.
//
// fork, vfork, posix_spawn and exec are not interposed: a child finds out for itself that it is one
// (session.h), and a new program begins with a handshake.
#include "preload/hook.h"
#include "preload/operation_call.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

namespace {

// A child of vfork that ends without exec runs on its parent's memory, but it is not the parent.
void note_own_exit(int status) {
  using spyglass::runtime::g_session;
  if (spyglass::runtime::g_fork_page.recording != 0 &&
      static_cast<std::uint32_t>(spyglass::runtime::kernel(SYS_getpid)) == g_session.process->pid) {
    spyglass::runtime::note_exit(status);
  }
}

}  // namespace

extern "C" {

void hook__exit(int status) {
  real::make_ready();
  note_own_exit(status);
  real::_exit(status);
  __builtin_unreachable();
}

void hook__Exit(int status) {
  real::make_ready();
  note_own_exit(status);
  real::_Exit(status);
  __builtin_unreachable();
}

pid_t hook_wait(int* status) {
  real::make_ready();
  return hooks::record_call<Operation::k_wait>(
      caller_point(), hooks::no_object, [&] { return real::wait(status); },
      hooks::outcome_of_call<pid_t>);
}

pid_t hook_waitpid(pid_t pid, int* status, int options) {
  real::make_ready();
  return hooks::record_call<Operation::k_waitpid>(
      caller_point(), hooks::no_object, [&] { return real::waitpid(pid, status, options); },
      hooks::outcome_of_call<pid_t>);
}

int hook_waitid(idtype_t kind, id_t id, siginfo_t* info, int options) {
  real::make_ready();
  return hooks::record_call<Operation::k_waitid>(
      caller_point(), hooks::no_object, [&] { return real::waitid(kind, id, info, options); },
      hooks::outcome_of_call<int>);
}

pid_t hook_wait3(int* status, int options, rusage* usage) {
  real::make_ready();
  return hooks::record_call<Operation::k_wait3>(
      caller_point(), hooks::no_object, [&] { return real::wait3(status, options, usage); },
      hooks::outcome_of_call<pid_t>);
}

pid_t hook_wait4(pid_t pid, int* status, int options, rusage* usage) {
  real::make_ready();
  return hooks::record_call<Operation::k_wait4>(
      caller_point(), hooks::no_object, [&] { return real::wait4(pid, status, options, usage); },
      hooks::outcome_of_call<pid_t>);
}

int hook_system(const char* command) {
  real::make_ready();
  return hooks::record_call<Operation::k_system>(
      caller_point(), hooks::no_object, [&] { return real::system(command); },
      hooks::outcome_of_call<int>);
}

}  // extern "C"
