// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/fatal_signal.h"

#include <ucontext.h>

#include "recorder/runtime/exception_record.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"
#include "recorder/runtime/unwind_window.h"

namespace spyglass::runtime {
namespace {

struct SignalName {
  int number;
  const char* name;
};
constexpr SignalName kNames[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"}, {SIGILL, "SIGILL"},
    {SIGABRT, "SIGABRT"}, {SIGTRAP, "SIGTRAP"}, {SIGSYS, "SIGSYS"},
};

std::uint32_t signal_object(int number) {
  for (const SignalName& known : kNames) {
    if (known.number == number) {
      return find_object(format::ObjectKind::kSignal, 0, known.name,
                         static_cast<std::uint32_t>(__builtin_strlen(known.name)), 0);
    }
  }
  return 0;
}

// The instruction runs again when the handler returns, and faults again.
bool faults_again(int number, const siginfo_t& info) {
  return info.si_code > 0 &&
         (number == SIGSEGV || number == SIGBUS || number == SIGFPE || number == SIGILL);
}

// A call of what is no code, a null pointer most often: nothing there tells how to unwind, but the
// call has just left its return address.
StackPoint dying_point(int number, const siginfo_t& info, const ucontext_t& context) {
  const StackPoint point = interrupted_point(context);
  const bool is_no_code = faults_again(number, info) && (number == SIGSEGV || number == SIGBUS) &&
                          reinterpret_cast<std::uint64_t>(info.si_addr) == point.pc;
  StackReader read(HomeStack{});
  std::uint64_t caller = 0;
  if (!is_no_code || !read(point.sp, caller)) {
    return point;
  }
  return {caller, point.sp + sizeof(caller), point.rbp, true};
}

void record_fatal_signal(int number, const siginfo_t& info, const ucontext_t& context) {
  if (!records(format::OperationClass::kSignal)) {
    return;
  }
  const OpenOperation open = begin_operation(
      format::Operation::k_fatal_signal, dying_point(number, info, context), signal_object(number));
  if (open.lane == nullptr) {
    return;
  }
  end_operation(open, {});
  EventParts event = {};
  event.kind = static_cast<std::uint32_t>(format::EventKind::kFatalSignal);
  event.node_cell = open.object_cell;
  event.start_ticks = open.start_ticks;
  event.value = faults_again(number, info) ? reinterpret_cast<std::uint64_t>(info.si_addr) : 0;
  push_event(open.lane, event, true);
  record_escapes(open.lane, nullptr);
}

}  // namespace

bool in_own_process() {
  return g_fork_page.recording == 0 ||
         static_cast<std::uint32_t>(kernel(SYS_getpid)) == g_session.process->pid;
}

bool has_room(const void* context, std::uint64_t bytes) {
  const stack_t& stack = static_cast<const ucontext_t*>(context)->uc_stack;
  const auto base = reinterpret_cast<std::uint64_t>(stack.ss_sp);
  const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  const bool on_it = (stack.ss_flags & SS_DISABLE) == 0 && here - base <= stack.ss_size;
  return !on_it || here - base >= bytes;
}

void send_again(int number, siginfo_t* info) {
  const long process = kernel(SYS_getpid);
  const long thread = kernel(SYS_gettid);
  // As abort() and raise() do where that is how it came: a sandbox that lets them lets us.
  if (info->si_code == SI_TKILL ||
      kernel(SYS_rt_tgsigqueueinfo, process, thread, number, info) != 0) {
    kernel(SYS_tgkill, process, thread, number);
  }
}

void on_fatal_signal(int number, siginfo_t* info, void* context) {
  constexpr std::uint64_t kHandlerBytes = 4096;  // unwinding and recording take 3.3 KiB
  if (in_own_process() && has_room(context, kHandlerBytes)) {
    record_fatal_signal(number, *info, *static_cast<const ucontext_t*>(context));
  }
  if (!faults_again(number, *info)) {
    send_again(number, info);
  }
}

}  // namespace spyglass::runtime
