// SPDX-License-Identifier: Apache-2.0
// locks.h - who holds which lock, for how long, and in which order locks are taken.
//
// A process-wide table holds a record per lock: who holds it and the call that took it. A private
// list per thread holds the locks that it has. Both are written with plain stores by whoever just
// took the lock or is about to release it, so the lock itself orders the writers; there is no time
// stamp and no stack.
//
// From the first time that somebody had to wait for a lock on, each acquisition also finds its
// calling context (before it tries, so that nothing is added to the hold) and takes the time: hold
// times are exact from then on, and are kept at the node of the lock below that context.
//
// Races. A waiter reads a record that its holder writes: it reads the holder twice and takes the
// rest only if that did not change, and if it is who a mutex itself says; so a holder is named
// right or not at all. Two locks that are met for the first time at once may claim the same record:
// one of them is not tracked this time. A lock that is destroyed without a call of ours
// (std::mutex) leaves its record to the next at its address, which then is taken for it. A lock
// that is released by another thread than it was taken by has its record put right when it is taken
// again.
//
//   Where    target side; hooks of locks. Not for signal handlers: POSIX allows no lock there.
//   Memory   records: fixed table. Lists: one private mapping per process, a slot per lane.
//   Errors   a lock that finds no room is not tracked: nobody is named as its holder.
#pragma once

#include <atomic>
#include <cstdint>

#include "format/arena.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"

namespace spyglass::runtime {

struct alignas(64) LockRecord {
  std::atomic<std::uint64_t> lock;            // its address; 0: free
  std::atomic<format::Lane*> holder;          // who took it last
  std::atomic<std::uint64_t> pc;              // the call that took it, while it is held
  std::atomic<std::uint32_t> node;            // the holder's node of the lock; 0: unknown
  std::atomic<std::uint32_t> was_waited_for;  // 1: acquisitions are timed
  std::atomic<std::uint32_t> object;          // reference; 0: not known yet
  std::atomic<format::Operation> operation;   // that took it
  std::atomic<std::uint32_t> is_held;         // of several readers, by the last that came
};
static_assert(sizeof(LockRecord) == 64);

inline constexpr unsigned kLockBits = 13;
extern LockRecord g_locks[std::uint32_t{1} << kLockBits];

struct HeldLock {
  LockRecord* record;
  std::uint64_t lock;
  std::uint64_t pc;
  std::uint64_t taken_ticks;
  std::uint32_t node;  // 0: this hold is not timed
  format::Operation operation;
};

// The locks that one thread has.
inline constexpr std::uint32_t kMostHeld = 16;
struct alignas(64) HeldLocks {
  format::Lane* lane;  // whose list this is
  std::uint64_t count;
  HeldLock held[kMostHeld];
};
extern __thread HeldLocks* t_held;

inline LockRecord* home_of(std::uint64_t lock) {
  return &g_locks[(lock * 0x9e3779b97f4a7c15ULL) >> (64U - kLockBits)];
}

// What a hook knows of an acquisition.
struct Acquisition {
  std::uint64_t lock;
  std::uint64_t pc;
  format::Operation operation;
  std::uint32_t node;  // of a timed one; 0: it is not timed
  bool would_wait;     // false: it was only tried, so it is in nobody's way
};

[[gnu::noinline]] void note_taken_slowly(const Acquisition& taken);
[[gnu::noinline]] void note_released_slowly(std::uint64_t lock);
[[gnu::noinline]] std::uint32_t timed_node(const StackPoint& caller, format::Operation operation,
                                           std::uint64_t lock);

// Before an attempt: the node that the hold will be counted at; 0 if nobody ever waited for `lock`.
[[gnu::always_inline]] inline std::uint32_t node_of_hold(const StackPoint& caller,
                                                         format::Operation operation,
                                                         std::uint64_t lock) {
  const LockRecord* home = home_of(lock);
  const bool is_quiet = home->lock.load(std::memory_order_relaxed) == lock &&
                        home->was_waited_for.load(std::memory_order_relaxed) == 0;
  return __builtin_expect(static_cast<long>(is_quiet), 1) != 0
             ? 0
             : timed_node(caller, operation, lock);
}

// The thread has just taken the lock.
[[gnu::always_inline]] inline void note_taken(const Acquisition& taken) {
  HeldLocks* mine = t_held;
  LockRecord* record = home_of(taken.lock);
  const bool is_simple = mine != nullptr && mine->lane == t_thread.lane && mine->count == 0 &&
                         taken.node == 0 &&
                         record->lock.load(std::memory_order_relaxed) == taken.lock;
  if (__builtin_expect(static_cast<long>(!is_simple), 0) != 0) {
    return note_taken_slowly(taken);
  }
  record->pc.store(taken.pc, std::memory_order_relaxed);
  record->operation.store(taken.operation, std::memory_order_relaxed);
  record->node.store(0, std::memory_order_relaxed);
  record->holder.store(mine->lane, std::memory_order_release);
  record->is_held.store(1, std::memory_order_relaxed);
  HeldLock& held = mine->held[0];
  held.record = record;
  held.lock = taken.lock;
  held.pc = taken.pc;
  held.node = 0;
  held.operation = taken.operation;
  mine->count = 1;
}

// The thread is about to release the lock.
[[gnu::always_inline]] inline void note_released(std::uint64_t lock) {
  HeldLocks* mine = t_held;
  if (mine == nullptr || mine->count == 0) {
    return;
  }
  const HeldLock& held = mine->held[0];
  if (__builtin_expect(static_cast<long>(mine->count != 1 || held.lock != lock || held.node != 0),
                       0) != 0) {
    return note_released_slowly(lock);
  }
  held.record->is_held.store(0, std::memory_order_relaxed);
  mine->count = 0;
}

// The lock begins or ends: nothing that is known of its address holds any longer.
void forget_lock(std::uint64_t lock);

// Somebody has to wait for the lock now: its object, and who has it.
struct LockWait {
  std::uint32_t object;
  std::uint32_t holder_tid;   // 0: unknown
  std::uint32_t holder_lane;  // index of the lane that holder_node is of
  std::uint32_t holder_node;  // 0: unknown
};
// `owner_tid`: who has it, if the lock itself says so, else 0.
LockWait begin_lock_wait(std::uint64_t lock, std::uint64_t pc, std::uint32_t owner_tid);

// The wait begins: leaves a note for the case that it never ends.
void note_lock_wait(const OpenOperation& open, const LockWait& wait);

// After the wait, whatever it brought: says who was waited for, if it lasted long enough to be a
// span.
void report_lock_wait(const OpenOperation& open, const LockWait& wait,
                      std::uint64_t duration_ticks);

}  // namespace spyglass::runtime
