// SPDX-License-Identifier: Apache-2.0
// Condition variables, semaphores and barriers. A wait on a condition variable ends the hold of its
// mutex and begins another one.
//
// glibc has two kinds of condition variables: programs linked before 2.3.2 ask for the old one by
// its version, and must get it.
#include "preload/deadline.h"
#include "preload/hook.h"
#include "preload/operation_call.h"
#include "recorder/runtime/locks.h"

namespace spyglass::hooks {
namespace {

template <typename Waited>
std::uint32_t waited_object(const Waited* object, const StackPoint& caller) {
  return runtime::find_object(format::ObjectKind::kLock, reinterpret_cast<std::uint64_t>(object),
                              nullptr, 0, caller.pc - 1);
}

template <Operation kOperation, typename Condition, typename Wait>
[[gnu::always_inline]] inline int wait_on_condition(const StackPoint& caller, Condition* condition,
                                                    const void* mutex, Wait wait) {
  real::make_ready();
  const bool tracks_locks = runtime::records(format::OperationClass::kLock);
  const auto lock = reinterpret_cast<std::uint64_t>(mutex);
  std::uint32_t node = 0;
  if (tracks_locks) {
    node = runtime::node_of_hold(caller, kOperation, lock);
    runtime::note_released(lock);
  }
  const auto counted_wait = [&] {
    const int result = wait();
    if (tracks_locks) {
      runtime::note_taken({lock, caller.pc - 1, kOperation, node, true});
    }
    return result;
  };
  return record_call<kOperation>(
      caller, [&] { return waited_object(condition, caller); }, counted_wait, outcome_of_error);
}

template <Operation kOperation, typename Wait>
[[gnu::always_inline]] inline int wait_on_semaphore(const StackPoint& caller, sem_t* semaphore,
                                                    Wait wait) {
  real::make_ready();
  if (!runtime::records(class_of(kOperation))) {
    return wait();
  }
  // As glibc does: a cancellation point in any case, then the quick way.
  real::pthread_testcancel();
  const int before = errno;
  if (real::sem_trywait(semaphore) == 0) {
    return 0;
  }
  errno = before;
  return record_call<kOperation>(
      caller, [&] { return waited_object(semaphore, caller); }, wait,
      [](int result) -> OperationResult {
        return {0, result != 0 && errno != EINTR && errno != ETIMEDOUT};
      });
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

extern "C" {

int hook_pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                const timespec* until) {
  return hooks::wait_on_condition<Operation::k_pthread_cond_clockwait>(
      caller_point(), condition, mutex,
      [&] { return real::pthread_cond_clockwait(condition, mutex, clock, until); });
}

[[gnu::visibility("default")]] int spyglass_cond_wait(pthread_cond_t* condition,
                                                      pthread_mutex_t* mutex) {
  return hooks::wait_on_condition<Operation::k_pthread_cond_wait>(
      caller_point(), condition, mutex, [&] { return real::pthread_cond_wait(condition, mutex); });
}

[[gnu::visibility("default")]] int spyglass_cond_timedwait(pthread_cond_t* condition,
                                                           pthread_mutex_t* mutex,
                                                           const timespec* until) {
  return hooks::wait_on_condition<Operation::k_pthread_cond_timedwait>(
      caller_point(), condition, mutex,
      [&] { return real::pthread_cond_timedwait(condition, mutex, until); });
}

[[gnu::visibility("default")]] int spyglass_old_cond_wait(void* condition, pthread_mutex_t* mutex) {
  return hooks::wait_on_condition<Operation::k_pthread_cond_wait>(
      caller_point(), condition, mutex,
      [&] { return real::old_pthread_cond_wait(condition, mutex); });
}

[[gnu::visibility("default")]] int spyglass_old_cond_timedwait(void* condition,
                                                               pthread_mutex_t* mutex,
                                                               const timespec* until) {
  return hooks::wait_on_condition<Operation::k_pthread_cond_timedwait>(
      caller_point(), condition, mutex,
      [&] { return real::old_pthread_cond_timedwait(condition, mutex, until); });
}

asm(".symver spyglass_cond_wait, pthread_cond_wait@@GLIBC_2.3.2, remove\n"
    ".symver spyglass_cond_timedwait, pthread_cond_timedwait@@GLIBC_2.3.2, remove\n"
    ".symver spyglass_old_cond_wait, pthread_cond_wait@GLIBC_2.2.5, remove\n"
    ".symver spyglass_old_cond_timedwait, pthread_cond_timedwait@GLIBC_2.2.5, remove\n");

int hook_cnd_wait(cnd_t* condition, mtx_t* mutex) {
  return hooks::wait_on_condition<Operation::k_cnd_wait>(
      caller_point(), condition, mutex, [&] { return real::cnd_wait(condition, mutex); });
}

int hook_cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* until) {
  return hooks::wait_on_condition<Operation::k_cnd_timedwait>(
      caller_point(), condition, mutex,
      [&] { return real::cnd_timedwait(condition, mutex, until); });
}

int hook_sem_wait(sem_t* semaphore) {
  return hooks::wait_on_semaphore<Operation::k_sem_wait>(caller_point(), semaphore,
                                                         [&] { return real::sem_wait(semaphore); });
}

int hook_sem_timedwait(sem_t* semaphore, const timespec* until) {
  if (!hooks::is_valid_deadline(CLOCK_REALTIME, until)) {
    real::make_ready();
    return real::sem_timedwait(semaphore, until);  // fails, whatever the semaphore says
  }
  return hooks::wait_on_semaphore<Operation::k_sem_timedwait>(
      caller_point(), semaphore, [&] { return real::sem_timedwait(semaphore, until); });
}

int hook_sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* until) {
  if (!hooks::is_valid_deadline(clock, until)) {
    real::make_ready();
    return real::sem_clockwait(semaphore, clock, until);  // fails, whatever the semaphore says
  }
  return hooks::wait_on_semaphore<Operation::k_sem_clockwait>(
      caller_point(), semaphore, [&] { return real::sem_clockwait(semaphore, clock, until); });
}

int hook_pthread_barrier_wait(pthread_barrier_t* barrier) {
  real::make_ready();
  const spyglass::runtime::StackPoint caller = caller_point();
  return hooks::record_call<Operation::k_pthread_barrier_wait>(
      caller, [&] { return hooks::waited_object(barrier, caller); },
      [&] { return real::pthread_barrier_wait(barrier); },
      [](int /*one of the threads gets -1*/) { return spyglass::runtime::OperationResult{}; });
}

}  // extern "C"
