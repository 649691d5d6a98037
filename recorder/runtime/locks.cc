// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/locks.h"

#include <sys/mman.h>

#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {

constinit LockRecord g_locks[std::uint32_t{1} << kLockBits] = {};
__thread HeldLocks* t_held;

namespace {

using format::Lane;
using format::Node;

constexpr unsigned kWays = 4;  // records that a lock may have: its home and the next ones
constexpr std::uint32_t kPairs = 8192;
constexpr std::uint32_t kPairProbes = 8;
constexpr std::uint64_t kLongWaitNs = 10'000;  // where spans are off

constinit std::atomic<HeldLocks*> g_held = nullptr;  // one per lane of this process
constinit std::atomic<std::uint32_t> g_held_failed = 0;
// Hashes of (held, taken), with the lane of the thread that did so in the low bits.
constinit std::atomic<std::uint64_t> g_pairs[kPairs] = {};

LockRecord* way(std::uint64_t lock, unsigned number) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kLockBits) - 1;
  return &g_locks[(static_cast<std::uint64_t>(home_of(lock) - g_locks) + number) & kMask];
}

LockRecord* find_record(std::uint64_t lock) {
  for (unsigned i = 0; i < kWays; ++i) {
    if (way(lock, i)->lock.load(std::memory_order_relaxed) == lock) {
      return way(lock, i);
    }
  }
  return nullptr;
}

bool is_worth_less(const LockRecord& record) {
  return record.is_held.load(std::memory_order_relaxed) == 0 &&
         record.was_waited_for.load(std::memory_order_relaxed) == 0;
}

// The record of `lock`, if need be a new one: free, or of a lock that nobody has or ever waited
// for. Null: there is none.
LockRecord* claim_record(std::uint64_t lock) {
  if (LockRecord* known = find_record(lock)) {
    return known;
  }
  for (unsigned i = 0; i < kWays; ++i) {
    LockRecord* record = way(lock, i);
    std::uint64_t seen = record->lock.load(std::memory_order_relaxed);
    if ((seen == 0 || is_worth_less(*record)) &&
        record->lock.compare_exchange_strong(seen, lock, std::memory_order_relaxed)) {
      record->holder.store(nullptr, std::memory_order_relaxed);
      record->object.store(0, std::memory_order_relaxed);
      record->node.store(0, std::memory_order_relaxed);
      record->was_waited_for.store(0, std::memory_order_relaxed);
      return record;
    }
  }
  return nullptr;
}

HeldLocks* all_lists() {
  HeldLocks* lists = g_held.load(std::memory_order_acquire);
  if (lists != nullptr || g_held_failed.load(std::memory_order_relaxed) != 0) {
    return lists;
  }
  const std::uint64_t bytes = std::uint64_t{g_session.lane_limit} * sizeof(HeldLocks);
  const long mapped = kernel(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped < 0 && mapped > -4096) {
    g_held_failed.store(1, std::memory_order_relaxed);
    return nullptr;
  }
  kernel(SYS_madvise, mapped, bytes, MADV_DONTDUMP);  // core files are not the longer for it
  auto* fresh = reinterpret_cast<HeldLocks*>(mapped);
  if (!g_held.compare_exchange_strong(lists, fresh, std::memory_order_acq_rel)) {
    kernel(SYS_munmap, mapped, bytes);
    return lists;
  }
  return fresh;
}

// The calling thread's list, set up if this is its first lock (or its first after a fork). Null:
// its locks are not tracked.
HeldLocks* own_list() {
  Lane* lane = ready_lane();
  if (lane == nullptr) {
    return nullptr;
  }
  if (t_held != nullptr && t_held->lane == lane) {
    return t_held;
  }
  HeldLocks* lists = all_lists();
  if (lists == nullptr) {
    return nullptr;
  }
  t_held = lists + index_of(lane);
  t_held->lane = lane;
  t_held->count = 0;
  return t_held;
}

// The node of a lock below `context`; null when the lane is full.
Node* lock_node(Lane* lane, Node* context, format::Operation operation, std::uint32_t object) {
  Node* node =
      tagged_child(lane, context, format::kOperationTag | static_cast<std::uint64_t>(operation));
  if (node != nullptr && object != 0) {
    node = tagged_child(lane, node, format::kObjectTag | object);
  }
  return node;
}

// A lock that was taken in a context that is not known any more, but for the call that took it.
std::uint32_t outline_node(Lane* lane, std::uint64_t pc, format::Operation operation,
                           std::uint32_t object) {
  Node* frame = tagged_child(lane, node_at(lane, format::kRootCell), format::kPcTag | pc);
  const Node* node = frame == nullptr ? nullptr : lock_node(lane, frame, operation, object);
  return node == nullptr ? 0 : cell_of(lane, node);
}

std::uint32_t object_of(LockRecord* record, std::uint64_t lock, std::uint64_t pc) {
  std::uint32_t object = record->object.load(std::memory_order_relaxed);
  if (object == 0) {
    object = find_object(format::ObjectKind::kLock, lock, nullptr, 0, pc);
    record->object.store(object, std::memory_order_relaxed);
  }
  return object;
}

enum class PairState { kNew, kOfThisLane, kOfAnother, kUnknown };

// Notes that this lane took the pair with that hash, if nobody has before.
PairState note_pair(std::uint64_t hash, std::uint32_t lane) {
  constexpr std::uint64_t kLaneMask = (std::uint64_t{1} << 20U) - 1;
  const std::uint64_t wanted = (hash & ~kLaneMask) | ((lane + 1) & kLaneMask);
  for (std::uint32_t i = 0; i < kPairProbes; ++i) {
    std::atomic<std::uint64_t>& slot = g_pairs[((hash >> 20U) + i) % kPairs];
    std::uint64_t seen = slot.load(std::memory_order_relaxed);
    if (seen == 0 && slot.compare_exchange_strong(seen, wanted, std::memory_order_relaxed)) {
      return PairState::kNew;
    }
    if ((seen & ~kLaneMask) == (wanted & ~kLaneMask)) {
      return seen == wanted ? PairState::kOfThisLane : PairState::kOfAnother;
    }
  }
  return PairState::kUnknown;  // full: later pairs are not looked for
}

// True twice in the life of the process, for two threads: who takes locks in opposite orders all
// alone is in nobody's way.
bool is_new_pair(std::uint64_t held, std::uint64_t taken, std::uint32_t lane) {
  std::uint64_t pair = (held * 0x9e3779b97f4a7c15ULL) ^ (taken * 0xc2b2ae3d27d4eb4fULL);
  pair ^= pair >> 31U;
  const PairState first = note_pair(pair, lane);
  constexpr std::uint64_t kSecond = 0xd6e8feb86659fd93ULL;
  return first == PairState::kNew ||
         (first == PairState::kOfAnother && note_pair(pair * kSecond, lane) == PairState::kNew);
}

// A bit for each lock that the thread has besides. Two orders under a common one are in nobody's
// way; that different locks may share a bit only hides one now and then.
std::uint64_t gates_of(const HeldLocks& mine, std::uint64_t without) {
  std::uint64_t gates = 0;
  for (std::uint64_t i = 0; i < mine.count; ++i) {
    if (mine.held[i].lock != without) {
      gates |= std::uint64_t{1} << ((mine.held[i].lock * 0x9e3779b97f4a7c15ULL) >> 58U);
    }
  }
  return gates;
}

void report_order(Lane* lane, const HeldLock& held, const HeldLock& taken, std::uint64_t gates) {
  const std::uint32_t other =
      outline_node(lane, held.pc, held.operation, object_of(held.record, held.lock, held.pc));
  const std::uint32_t node = taken.node != 0
                                 ? taken.node
                                 : outline_node(lane, taken.pc, taken.operation,
                                                object_of(taken.record, taken.lock, taken.pc));
  EventParts event = {};
  event.kind = static_cast<std::uint32_t>(format::EventKind::kLockOrder);
  event.node_cell = node;
  event.start_ticks = ticks();
  event.other_cell = other;
  event.other_lane = index_of(lane);
  event.value = gates;
  push_event(lane, event, false);
}

// Entries of locks that others released, or that are taken anew, are no longer true.
void drop_stale(HeldLocks& mine, std::uint64_t lock) {
  std::uint64_t kept = 0;
  for (std::uint64_t i = 0; i < mine.count; ++i) {
    const HeldLock& held = mine.held[i];
    if (held.lock != lock && held.record->lock.load(std::memory_order_relaxed) == held.lock) {
      mine.held[kept++] = held;
    }
  }
  mine.count = kept;
}

void count_hold(Lane* lane, const HeldLock& held) {
  const std::uint64_t now_ticks = ticks();
  if (g_fork_page.recording == 0 || lane != t_thread.lane || now_ticks < held.taken_ticks) {
    return;
  }
  if (format::NodeExtension* extension = extension_of(lane, node_at(lane, held.node))) {
    extension->hold_ticks += now_ticks - held.taken_ticks;
    extension->holds += 1;
  }
}

}  // namespace

std::uint32_t timed_node(const StackPoint& caller, format::Operation operation,
                         std::uint64_t lock) {
  LockRecord* record = find_record(lock);
  if (record == nullptr || record->was_waited_for.load(std::memory_order_relaxed) == 0) {
    return 0;
  }
  Lane* lane = ready_lane();
  if (lane == nullptr) {
    return 0;
  }
  const Node* node =
      lock_node(lane, calling_context(lane, caller), operation, object_of(record, lock, caller.pc));
  return node == nullptr ? 0 : cell_of(lane, node);
}

void note_taken_slowly(const Acquisition& taken) {
  // First: what follows belongs to the hold.
  const std::uint64_t now_ticks = taken.node != 0 ? ticks() : 0;
  HeldLocks* mine = own_list();
  LockRecord* record = mine == nullptr ? nullptr : claim_record(taken.lock);
  if (record == nullptr) {
    return;
  }
  if (mine->count != 0) {
    drop_stale(*mine, taken.lock);
  }
  record->pc.store(taken.pc, std::memory_order_relaxed);
  record->operation.store(taken.operation, std::memory_order_relaxed);
  record->node.store(taken.node, std::memory_order_relaxed);
  record->holder.store(mine->lane, std::memory_order_release);
  record->is_held.store(1, std::memory_order_relaxed);
  const HeldLock entry = {record, taken.lock, taken.pc, now_ticks, taken.node, taken.operation};
  for (std::uint64_t i = 0; taken.would_wait && i < mine->count; ++i) {
    const HeldLock& held = mine->held[i];
    if (is_new_pair(held.lock, taken.lock, index_of(mine->lane))) {
      report_order(mine->lane, held, entry, gates_of(*mine, held.lock));
    }
  }
  if (mine->count < kMostHeld) {
    mine->held[mine->count] = entry;
    mine->count += 1;
  }
}

void note_released_slowly(std::uint64_t lock) {
  HeldLocks* mine = t_held;
  for (std::uint64_t i = mine->count; i-- > 0;) {
    const HeldLock held = mine->held[i];
    if (held.lock != lock) {
      continue;
    }
    if (held.node != 0) {
      count_hold(mine->lane, held);
    }
    if (held.record->holder.load(std::memory_order_relaxed) == mine->lane) {
      held.record->is_held.store(0, std::memory_order_relaxed);
    }
    for (std::uint64_t next = i + 1; next < mine->count; ++next) {
      mine->held[next - 1] = mine->held[next];
    }
    mine->count -= 1;
    return;
  }
}

void forget_lock(std::uint64_t lock) {
  if (LockRecord* record = find_record(lock)) {
    record->is_held.store(0, std::memory_order_relaxed);
    record->was_waited_for.store(0, std::memory_order_relaxed);
    record->lock.store(0, std::memory_order_release);
  }
}

LockWait begin_lock_wait(std::uint64_t lock, std::uint64_t pc, std::uint32_t owner_tid) {
  LockRecord* record = claim_record(lock);
  if (record == nullptr) {
    return {find_object(format::ObjectKind::kLock, lock, nullptr, 0, pc), owner_tid, 0, 0};
  }
  LockWait wait = {object_of(record, lock, pc), owner_tid, 0, 0};
  const Lane* holder = record->holder.load(std::memory_order_acquire);
  const std::uint64_t holder_pc = record->pc.load(std::memory_order_relaxed);
  const std::uint32_t node = record->node.load(std::memory_order_relaxed);
  const format::Operation operation = record->operation.load(std::memory_order_relaxed);
  // After the holder was read: who takes the lock from now on knows its node.
  record->was_waited_for.store(1, std::memory_order_relaxed);
  const bool is_held = record->is_held.load(std::memory_order_relaxed) != 0;
  if (holder == nullptr || record->holder.load(std::memory_order_acquire) != holder ||
      (owner_tid != 0 ? owner_tid != holder->tid : !is_held)) {
    return wait;
  }
  wait.holder_tid = holder->tid;
  if (node != 0) {
    wait.holder_lane = index_of(holder);
    wait.holder_node = node;
  } else if (Lane* lane = ready_lane()) {
    wait.holder_lane = index_of(lane);
    wait.holder_node = outline_node(lane, holder_pc, operation, wait.object);
  }
  return wait;
}

void note_lock_wait(const OpenOperation& open, const LockWait& wait) {
  Lane* lane = open.lane;
  if (lane == nullptr || wait.holder_tid == 0) {
    return;
  }
  lane->awaited_holder_tid = wait.holder_tid;
  lane->awaited_holder_cell = wait.holder_node;
  lane->awaited_holder_lane = wait.holder_lane;
  lane->awaited_since_ticks = open.start_ticks;
  signal_fence();
  lane->awaited_cell = open.object_cell;
}

void report_lock_wait(const OpenOperation& open, const LockWait& wait,
                      std::uint64_t duration_ticks) {
  Lane* lane = open.lane;
  if (!is_current(open)) {
    return;
  }
  lane->awaited_cell = 0;
  std::uint64_t shortest_ticks = kLongWaitNs * g_session.ticks_per_ns_q32 >> 32U;
  if (lane->span_threshold_ticks < shortest_ticks) {
    shortest_ticks = lane->span_threshold_ticks;
  }
  if (duration_ticks == 0 || duration_ticks < shortest_ticks) {
    return;
  }
  EventParts event = {};
  event.kind = static_cast<std::uint32_t>(format::EventKind::kContention);
  event.node_cell = open.object_cell;
  event.start_ticks = open.start_ticks;
  event.duration_ticks = duration_ticks;
  event.other_cell = wait.holder_node;
  event.other_lane = wait.holder_lane;
  event.value = wait.holder_tid;
  push_event(lane, event, false);
}

}  // namespace spyglass::runtime
