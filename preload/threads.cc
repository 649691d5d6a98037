// SPDX-License-Identifier: Apache-2.0
// Threads: each gets its lane at birth, so that one that never calls a hook is known too; and waits
// for one to end, with the function that it runs.
#include "preload/hook.h"
#include "preload/operation_call.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/session.h"

namespace spyglass::hooks {
namespace {

using ThreadFunction = void*(void* argument);

// What a thread begins with, from its creator to itself.
struct Start {
  std::atomic<std::uint32_t> is_taken;
  ThreadFunction* function;
  void* argument;
};
constexpr unsigned kMostStarts = 1024;  // threads being created at one time
constinit Start g_starts[kMostStarts] = {};

// What the threads run, by their handle; one of two with the same place is forgotten.
struct Running {
  std::atomic<std::uint64_t> thread;
  std::atomic<std::uint64_t> function;
};
constexpr unsigned kRunningBits = 12;
constinit Running g_running[1U << kRunningBits] = {};

Running& running(std::uint64_t thread) {
  return g_running[thread * 0x9e3779b97f4a7c15ULL >> (64U - kRunningBits)];
}

// Null: there is no room, the thread begins without us.
Start* take_start() {
  for (Start& start : g_starts) {
    if (start.is_taken.load(std::memory_order_relaxed) == 0 &&
        start.is_taken.exchange(1, std::memory_order_acquire) == 0) {
      return &start;
    }
  }
  return nullptr;
}

std::uint64_t own_handle() {
  std::uint64_t handle = 0;
  asm("movq %%fs:0x10, %0" : "=r"(handle));  // pthread_self(), as glibc keeps it on x86-64
  return handle;
}

// By the thread itself, for others that it tells its handle to, and by its creator, who may join it
// before it has begun.
void note_running(std::uint64_t thread, ThreadFunction* function) {
  Running& place = running(thread);
  place.function.store(reinterpret_cast<std::uint64_t>(function), std::memory_order_relaxed);
  place.thread.store(thread, std::memory_order_release);
}

void* begin_thread(void* given) {
  auto* start = static_cast<Start*>(given);
  ThreadFunction* function = start->function;
  void* argument = start->argument;
  start->is_taken.store(0, std::memory_order_release);
  note_running(own_handle(), function);
  runtime::ready_lane();
  return function(argument);  // a jump: debuggers see the same frames as without us
}

std::uint32_t thread_object(pthread_t thread, const StackPoint& caller) {
  const Running& known = running(thread);
  const std::uint64_t function = known.thread.load(std::memory_order_acquire) == thread
                                     ? known.function.load(std::memory_order_relaxed)
                                     : 0;
  return function == 0 ? 0
                       : runtime::find_object(format::ObjectKind::kThread, function, nullptr, 0,
                                              caller.pc - 1);
}

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline int join_thread(const StackPoint& caller, pthread_t thread,
                                              Call call) {
  real::make_ready();
  return record_call<kOperation>(
      caller, [&] { return thread_object(thread, caller); }, call, outcome_of_error);
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

extern "C" {

int hook_pthread_setname_np(pthread_t thread, const char* name) {
  real::make_ready();
  const int result = real::pthread_setname_np(thread, name);
  if (result == 0 && thread == hooks::own_handle()) {
    spyglass::runtime::note_thread_name();
  }
  return result;
}

int hook_pthread_create(pthread_t* thread, const pthread_attr_t* how, void* (*function)(void*),
                        void* argument) {
  real::make_ready();
  hooks::Start* start = spyglass::runtime::records_all_threads() ? hooks::take_start() : nullptr;
  if (start == nullptr) {
    return real::pthread_create(thread, how, function, argument);
  }
  start->function = function;
  start->argument = argument;
  const int error = real::pthread_create(thread, how, hooks::begin_thread, start);
  if (error != 0) {
    start->is_taken.store(0, std::memory_order_release);
  } else {
    hooks::note_running(*thread, function);
  }
  return error;
}

int hook_pthread_join(pthread_t thread, void** result) {
  return hooks::join_thread<Operation::k_pthread_join>(
      caller_point(), thread, [&] { return real::pthread_join(thread, result); });
}

int hook_pthread_timedjoin_np(pthread_t thread, void** result, const timespec* until) {
  return hooks::join_thread<Operation::k_pthread_timedjoin_np>(
      caller_point(), thread, [&] { return real::pthread_timedjoin_np(thread, result, until); });
}

int hook_pthread_clockjoin_np(pthread_t thread, void** result, clockid_t clock,
                              const timespec* until) {
  return hooks::join_thread<Operation::k_pthread_clockjoin_np>(caller_point(), thread, [&] {
    return real::pthread_clockjoin_np(thread, result, clock, until);
  });
}

int hook_thrd_join(thrd_t thread, int* result) {
  return hooks::join_thread<Operation::k_thrd_join>(
      caller_point(), thread, [&] { return real::thrd_join(thread, result); });
}

}  // extern "C"
