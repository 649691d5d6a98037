// SPDX-License-Identifier: Apache-2.0
// Locks: tried first, and recorded only when that fails. What a try leaves different from the real
// call (a recursive count, an owner that died, an error) is what the real call would have left.
#include "recorder/runtime/locks.h"

#include "preload/deadline.h"
#include "preload/hook.h"
#include "preload/operation_call.h"

namespace spyglass::hooks {
namespace {

using runtime::caller_point;

template <typename Lock>
std::uint64_t address_of(const volatile Lock* lock) {
  return reinterpret_cast<std::uint64_t>(lock);
}

bool is_taken(int error) { return error == 0 || error == EOWNERDEAD; }

// A recursive mutex that the thread has more than once: neither taken nor released, in effect.
// glibc keeps the type in the low bits of the kind, and counts.
bool is_nested(const pthread_mutex_t* mutex) {
  constexpr int kTypeMask = 3;
  return (mutex->__data.__kind & kTypeMask) == PTHREAD_MUTEX_RECURSIVE_NP &&
         mutex->__data.__count > 1;
}
template <typename Lock>
bool is_nested(const volatile Lock* /*not recursive*/) {
  return false;
}

// The thread that has a mutex, as glibc keeps it in there.
std::uint32_t owner_of(const pthread_mutex_t* mutex) {
  constexpr int kLargestTid = 1 << 22;  // above: marks of robust mutexes
  const int owner = *const_cast<const volatile int*>(&mutex->__data.__owner);
  return owner > 0 && owner <= kLargestTid ? static_cast<std::uint32_t>(owner) : 0;
}
template <typename Lock>
std::uint32_t owner_of(const volatile Lock* /*does not tell*/) {
  return 0;
}

// Waits for a lock that was found taken.
template <Operation kOperation, typename Lock, typename Wait>
[[gnu::always_inline]] inline int wait_for_lock(const StackPoint& caller, Lock* taken, Wait wait) {
  const std::uint64_t lock = address_of(taken);
  const runtime::LockWait found = runtime::begin_lock_wait(lock, caller.pc - 1, owner_of(taken));
  const runtime::OpenOperation open = runtime::begin_operation(kOperation, caller, found.object);
  runtime::note_lock_wait(open, found);
  const int error = wait();
  if (is_taken(error)) {
    runtime::note_taken({lock, caller.pc - 1, kOperation, open.object_cell, true});
  }
  const std::uint64_t duration_ticks = runtime::end_operation(open, outcome_of_error(error));
  runtime::report_lock_wait(open, found, duration_ticks);
  return error;
}

// `attempt`: the real function that does not wait.
template <Operation kOperation, bool kWouldWait, typename Lock, typename Try>
[[gnu::always_inline]] inline int attempt_lock(const StackPoint& caller, Lock* lock, Try attempt) {
  const std::uint64_t address = address_of(lock);
  const std::uint32_t node = runtime::node_of_hold(caller, kOperation, address);
  const int error = attempt(lock);
  if (is_taken(error) && !is_nested(lock)) {
    runtime::note_taken({address, caller.pc - 1, kOperation, node, kWouldWait});
  }
  return error;
}

template <Operation kOperation, typename Lock, typename Try, typename Wait>
[[gnu::always_inline]] inline int take_lock(const StackPoint& caller, Lock* lock, Try attempt,
                                            Wait wait) {
  if (!runtime::records(class_of(kOperation))) {
    return wait();
  }
  const int error = attempt_lock<kOperation, true>(caller, lock, attempt);
  return error == EBUSY ? wait_for_lock<kOperation>(caller, lock, wait) : error;
}

template <Operation kOperation, typename Lock, typename Try>
[[gnu::always_inline]] inline int try_lock(const StackPoint& caller, Lock* lock, Try attempt) {
  return runtime::records(class_of(kOperation))
             ? attempt_lock<kOperation, false>(caller, lock, attempt)
             : attempt(lock);
}

template <Operation kOperation, typename Try, typename Wait>
[[gnu::always_inline]] inline int take_rwlock_until(const StackPoint& caller,
                                                    pthread_rwlock_t* lock, clockid_t clock,
                                                    const timespec* until, Try attempt, Wait wait) {
  if (!is_valid_deadline(clock, until)) {
    return wait();  // fails, even if the lock is free
  }
  return take_lock<kOperation>(caller, lock, attempt, wait);
}

template <typename Lock>
[[gnu::always_inline]] inline void release_lock(Lock* lock) {
  real::make_ready();
  if (!is_nested(lock)) {
    runtime::note_released(address_of(lock));
  }
}

template <typename Lock>
void end_lock(Lock* lock) {
  real::make_ready();
  runtime::forget_lock(address_of(lock));
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

extern "C" {

int hook_pthread_mutex_init(pthread_mutex_t* mutex, const pthread_mutexattr_t* how) {
  hooks::end_lock(mutex);
  return real::pthread_mutex_init(mutex, how);
}

int hook_pthread_mutex_destroy(pthread_mutex_t* mutex) {
  hooks::end_lock(mutex);
  return real::pthread_mutex_destroy(mutex);
}

int hook_pthread_mutex_lock(pthread_mutex_t* mutex) {
  real::make_ready();
  return hooks::take_lock<Operation::k_pthread_mutex_lock>(
      caller_point(), mutex, real::pthread_mutex_trylock,
      [&] { return real::pthread_mutex_lock(mutex); });
}

int hook_pthread_mutex_trylock(pthread_mutex_t* mutex) {
  real::make_ready();
  return hooks::try_lock<Operation::k_pthread_mutex_lock>(caller_point(), mutex,
                                                          real::pthread_mutex_trylock);
}

int hook_pthread_mutex_timedlock(pthread_mutex_t* mutex, const timespec* until) {
  real::make_ready();
  return hooks::take_lock<Operation::k_pthread_mutex_timedlock>(
      caller_point(), mutex, real::pthread_mutex_trylock,
      [&] { return real::pthread_mutex_timedlock(mutex, until); });
}

int hook_pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock, const timespec* until) {
  real::make_ready();
  if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME) {
    return real::pthread_mutex_clocklock(mutex, clock, until);  // fails, even if the lock is free
  }
  return hooks::take_lock<Operation::k_pthread_mutex_clocklock>(
      caller_point(), mutex, real::pthread_mutex_trylock,
      [&] { return real::pthread_mutex_clocklock(mutex, clock, until); });
}

int hook_pthread_mutex_unlock(pthread_mutex_t* mutex) {
  hooks::release_lock(mutex);
  return real::pthread_mutex_unlock(mutex);
}

int hook_pthread_rwlock_init(pthread_rwlock_t* lock, const pthread_rwlockattr_t* how) {
  hooks::end_lock(lock);
  return real::pthread_rwlock_init(lock, how);
}

int hook_pthread_rwlock_destroy(pthread_rwlock_t* lock) {
  hooks::end_lock(lock);
  return real::pthread_rwlock_destroy(lock);
}

int hook_pthread_rwlock_rdlock(pthread_rwlock_t* lock) {
  real::make_ready();
  return hooks::take_lock<Operation::k_pthread_rwlock_rdlock>(
      caller_point(), lock, real::pthread_rwlock_tryrdlock,
      [&] { return real::pthread_rwlock_rdlock(lock); });
}

int hook_pthread_rwlock_wrlock(pthread_rwlock_t* lock) {
  real::make_ready();
  return hooks::take_lock<Operation::k_pthread_rwlock_wrlock>(
      caller_point(), lock, real::pthread_rwlock_trywrlock,
      [&] { return real::pthread_rwlock_wrlock(lock); });
}

int hook_pthread_rwlock_tryrdlock(pthread_rwlock_t* lock) {
  real::make_ready();
  return hooks::try_lock<Operation::k_pthread_rwlock_rdlock>(caller_point(), lock,
                                                             real::pthread_rwlock_tryrdlock);
}

int hook_pthread_rwlock_trywrlock(pthread_rwlock_t* lock) {
  real::make_ready();
  return hooks::try_lock<Operation::k_pthread_rwlock_wrlock>(caller_point(), lock,
                                                             real::pthread_rwlock_trywrlock);
}

int hook_pthread_rwlock_timedrdlock(pthread_rwlock_t* lock, const timespec* until) {
  real::make_ready();
  return hooks::take_rwlock_until<Operation::k_pthread_rwlock_timedrdlock>(
      caller_point(), lock, CLOCK_REALTIME, until, real::pthread_rwlock_tryrdlock,
      [&] { return real::pthread_rwlock_timedrdlock(lock, until); });
}

int hook_pthread_rwlock_timedwrlock(pthread_rwlock_t* lock, const timespec* until) {
  real::make_ready();
  return hooks::take_rwlock_until<Operation::k_pthread_rwlock_timedwrlock>(
      caller_point(), lock, CLOCK_REALTIME, until, real::pthread_rwlock_trywrlock,
      [&] { return real::pthread_rwlock_timedwrlock(lock, until); });
}

int hook_pthread_rwlock_clockrdlock(pthread_rwlock_t* lock, clockid_t clock,
                                    const timespec* until) {
  real::make_ready();
  return hooks::take_rwlock_until<Operation::k_pthread_rwlock_clockrdlock>(
      caller_point(), lock, clock, until, real::pthread_rwlock_tryrdlock,
      [&] { return real::pthread_rwlock_clockrdlock(lock, clock, until); });
}

int hook_pthread_rwlock_clockwrlock(pthread_rwlock_t* lock, clockid_t clock,
                                    const timespec* until) {
  real::make_ready();
  return hooks::take_rwlock_until<Operation::k_pthread_rwlock_clockwrlock>(
      caller_point(), lock, clock, until, real::pthread_rwlock_trywrlock,
      [&] { return real::pthread_rwlock_clockwrlock(lock, clock, until); });
}

int hook_pthread_rwlock_unlock(pthread_rwlock_t* lock) {
  hooks::release_lock(lock);
  return real::pthread_rwlock_unlock(lock);
}

int hook_pthread_spin_destroy(pthread_spinlock_t* lock) {
  hooks::end_lock(lock);
  return real::pthread_spin_destroy(lock);
}

int hook_pthread_spin_lock(pthread_spinlock_t* lock) {
  real::make_ready();
  return hooks::take_lock<Operation::k_pthread_spin_lock>(
      caller_point(), lock, real::pthread_spin_trylock,
      [&] { return real::pthread_spin_lock(lock); });
}

int hook_pthread_spin_trylock(pthread_spinlock_t* lock) {
  real::make_ready();
  return hooks::try_lock<Operation::k_pthread_spin_lock>(caller_point(), lock,
                                                         real::pthread_spin_trylock);
}

int hook_pthread_spin_unlock(pthread_spinlock_t* lock) {
  hooks::release_lock(lock);
  return real::pthread_spin_unlock(lock);
}

// C11: in glibc an mtx_t is a pthread_mutex_t, and every call ends in that of the other name.

int hook_mtx_lock(mtx_t* mutex) {
  real::make_ready();
  if (!spyglass::runtime::records(spyglass::format::OperationClass::kLock)) {
    return real::mtx_lock(mutex);
  }
  const int error = hooks::take_lock<Operation::k_mtx_lock>(
      caller_point(), reinterpret_cast<pthread_mutex_t*>(mutex), real::pthread_mutex_trylock,
      [&] { return real::mtx_lock(mutex) == thrd_success ? 0 : EINVAL; });
  return error == 0 ? thrd_success : thrd_error;
}

int hook_mtx_trylock(mtx_t* mutex) {
  real::make_ready();
  int result = 0;
  hooks::try_lock<Operation::k_mtx_lock>(caller_point(), reinterpret_cast<pthread_mutex_t*>(mutex),
                                         [&](pthread_mutex_t* /*same*/) {
                                           result = real::mtx_trylock(mutex);
                                           return result == thrd_success ? 0 : EBUSY;
                                         });
  return result;
}

int hook_mtx_timedlock(mtx_t* mutex, const timespec* until) {
  real::make_ready();
  if (!spyglass::runtime::records(spyglass::format::OperationClass::kLock)) {
    return real::mtx_timedlock(mutex, until);
  }
  int result = thrd_success;
  const int error = hooks::take_lock<Operation::k_mtx_timedlock>(
      caller_point(), reinterpret_cast<pthread_mutex_t*>(mutex), real::pthread_mutex_trylock, [&] {
        result = real::mtx_timedlock(mutex, until);
        return result == thrd_success ? 0 : ETIMEDOUT;
      });
  return error == 0 ? thrd_success : result != thrd_success ? result : thrd_error;
}

int hook_mtx_unlock(mtx_t* mutex) {
  hooks::release_lock(reinterpret_cast<pthread_mutex_t*>(mutex));
  return real::mtx_unlock(mutex);
}

}  // extern "C"
