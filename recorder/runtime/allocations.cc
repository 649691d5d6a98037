// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/allocations.h"

#include <unistd.h>

#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/sampled_addresses.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/span_ring.h"

namespace spyglass::runtime {

constinit format::MemoryMode g_memory_mode = kUndecided;
__thread ThreadMemory t_memory;

namespace {

using format::AllocationKind;
using format::Lane;
using format::Node;
using format::Operation;

constexpr std::uint64_t kPatienceNs = 1'000'000'000;

// Once waiting was in vain, the next records don't wait until the collector has moved.
[[gnu::cold, gnu::noinline]] bool make_room_for_allocation(Lane* lane) {
  const std::uint64_t tail = lane->ring_tail.load(std::memory_order_relaxed) + 1;
  const bool gave_up = t_memory.full_at == tail;
  if (make_room_for_event(lane, gave_up ? 0 : kPatienceNs)) {
    return true;
  }
  t_memory.full_at = lane->ring_tail.load(std::memory_order_relaxed) + 1;
  return false;
}

struct Change {
  AllocationKind kind;
  std::uint64_t ticks;
  std::uint64_t address;
  std::uint64_t bytes;
};

// What happened before the session began: allocations of resolvers of indirect functions, of the
// loader, and of our own setting up. Their stacks are not known.
constexpr std::uint32_t kMostEarly = 256;
struct EarlyChange {
  Operation operation;
  Change change;
};
constinit EarlyChange g_early[kMostEarly] = {};
constinit std::uint32_t g_early_count = 0;  // also of those that found no place

void note_early(Operation operation, const Change& change) {
  const std::uint32_t place = __atomic_fetch_add(&g_early_count, 1, __ATOMIC_RELAXED);
  if (place < kMostEarly) {
    g_early[place] = {operation, change};
  }
  if (environ != nullptr) {
    ready_lane();  // libc can answer now, where the constructor could not ask it
  }
}

inline void push(Lane* lane, const Node* node, const Change& change) {
  if (rare(lane->ring_head >= lane->ring_limit) && !make_room_for_allocation(lane)) {
    lane->allocations_dropped += 1;
    return;
  }
  const std::uint32_t cell = cell_of(lane, node);
  const std::uint64_t position = reserve_records(lane, 2);
  claim_ahead(lane, position);
  write_record(
      lane, position + 1, change.address,
      record_head(format::RingKind::kContinuation, 0) | (change.bytes & format::kRingBytesMask));
  write_record(
      lane, position, change.ticks,
      record_head(format::RingKind::kAllocation, cell) | static_cast<std::uint64_t>(change.kind));
  if (rare(position >= lane->doorbell_at)) {
    ring_doorbell(lane);
  }
}

// The lane of a thread that is to record now; null: none.
inline Lane* recording_lane() {
  Lane* lane = t_thread.lane;
  return rare(lane == nullptr || g_fork_page.recording == 0) ? ready_lane() : lane;
}

std::uint64_t address_of(Operation operation) {
  return format::kOperationTag | static_cast<std::uint64_t>(operation);
}

// The operation's node below `context`, as hooks look children up; null: there is no cell left.
inline Node* node_below(Lane* lane, Node* context, Operation operation) {
  const std::uint64_t address = address_of(operation);
  const std::uint32_t parent = cell_of(lane, context);
  Node* node = node_at(lane, *lookup_slot(lane, parent, address));
  if (rare(node->parent != parent || node->address != address)) {
    node = tagged_child(lane, context, address);
    lane->allocations_dropped += node == nullptr ? 1 : 0;
    lane->folded_calls += node != nullptr && node->parent != parent ? 1 : 0;
  }
  return node;
}

// A call site has no other child as a rule, and half of the lookup table would be full of these.
inline Node* node_below_site(Lane* lane, Node* site, Operation operation) {
  Node* node = node_at(lane, site->first_child);
  return node->address == address_of(operation) ? node : node_below(lane, site, operation);
}

bool gives(AllocationKind kind) {
  return kind == AllocationKind::kAllocate || kind == AllocationKind::kMoveTo ||
         kind == AllocationKind::kMap;
}

// What was found no node for is counted as dropped already.
inline void keep(Lane* lane, Node* node, const Change& change) {
  if (rare(node == nullptr)) {
    return;
  }
  const auto counters = format::allocation_counters(*node);
  if (gives(change.kind)) {
    counters.allocations += 1;
    counters.allocated_bytes += change.bytes;
  } else {
    counters.frees += 1;
  }
  push(lane, node, change);
}

Node* node_at_caller(Lane* lane, Operation operation, const StackPoint& caller) {
  prepare_call(lane, caller);
  return node_below_site(lane, calling_context(lane, caller), operation);
}

void record_gain(AllocationKind kind, Operation operation, const StackPoint& caller,
                 std::uint64_t address, std::uint64_t bytes) {
  const std::uint64_t now_ticks = ticks();
  if (rare(g_memory_mode == kUndecided)) {
    return note_early(operation, {kind, now_ticks, address, bytes});
  }
  Lane* lane = recording_lane();
  if (rare(lane == nullptr)) {
    return;
  }
  keep(lane, node_at_caller(lane, operation, caller), {kind, now_ticks, address, bytes});
}

[[gnu::cold, gnu::noinline]] void record_failure(Operation operation, const StackPoint& caller) {
  Lane* lane = g_memory_mode == kUndecided ? nullptr : recording_lane();
  if (lane != nullptr) {
    Node* node = node_at_caller(lane, operation, caller);
    if (node != nullptr) {
      format::allocation_counters(*node).errors += 1;
    }
  }
}

void record_loss(AllocationKind kind, Operation operation, std::uint64_t address,
                 std::uint64_t bytes, std::uint64_t when_ticks) {
  if (rare(g_memory_mode == kUndecided)) {
    return note_early(operation, {kind, when_ticks, address, bytes});
  }
  Lane* lane = recording_lane();
  if (rare(lane == nullptr)) {
    return;
  }
  keep(lane, node_below(lane, innermost_call(lane).node, operation),
       {kind, when_ticks, address, bytes});
}

std::uint64_t value_of(const void* address) { return reinterpret_cast<std::uint64_t>(address); }

void record_block(AllocationKind kind, Operation operation, const StackPoint& caller,
                  const void* address, std::size_t bytes) {
  if (rare(address == nullptr)) {
    return record_failure(operation, caller);
  }
  if (g_memory_mode == format::MemoryMode::kSample && !remember_sample(value_of(address))) {
    if (Lane* lane = recording_lane()) {
      lane->allocations_dropped += 1;
    }
    return;
  }
  record_gain(kind, operation, caller, value_of(address), bytes);
}

}  // namespace

void decide_memory_mode(format::MemoryMode mode) {
  g_memory_mode = mode;
  const std::uint32_t count = g_early_count;
  if (mode != format::MemoryMode::kFull || count == 0) {
    return;  // too few to matter where samples are taken
  }
  Lane* lane = recording_lane();
  if (lane == nullptr) {
    return;
  }
  lane->allocations_dropped += count > kMostEarly ? count - kMostEarly : 0;
  for (std::uint32_t i = 0; i < count && i < kMostEarly; ++i) {
    const auto& [operation, change] = g_early[i];
    keep(lane, node_below(lane, node_at(lane, format::kRootCell), operation), change);
  }
}

bool draw_sample(std::size_t bytes) {
  const std::uint64_t mean_bytes = g_session.arena->options.memory_sample_bytes;
  const bool first = t_memory.random == 0;
  if (first) {
    t_memory.random = ticks() ^ value_of(&t_memory);
    t_memory.sample_after = next_sample_distance(t_memory.random, mean_bytes);
    t_memory.sample_after -= static_cast<std::int64_t>(bytes);
    if (t_memory.sample_after >= 0 && static_cast<std::int64_t>(bytes) >= 0) {
      return false;
    }
  }
  t_memory.sample_after = next_sample_distance(t_memory.random, mean_bytes);
  return true;
}

bool is_sampled(const void* address) { return knows_sample(value_of(address)); }

void record_allocation(Operation operation, const StackPoint& caller, const void* address,
                       std::size_t bytes) {
  // What is smaller is something else: the exception, when there is no memory; or the sum of size
  // and alignment overflowed.
  if (rare(t_memory.wanted != 0) && bytes < t_memory.wanted_bytes) {
    t_memory.smaller = address;
  } else if (rare(t_memory.wanted != 0)) {
    const bool satisfies = t_memory.wanted_by.sp >= caller.sp;
    const auto wanted = static_cast<Operation>(t_memory.wanted - 1);
    t_memory.wanted = 0;
    if (satisfies) {
      // The chance of a sample was that of what malloc() was asked for, which may be rounded up.
      const bool all = g_memory_mode == format::MemoryMode::kFull;
      return record_block(AllocationKind::kAllocate, wanted, t_memory.wanted_by, address,
                          all ? t_memory.wanted_bytes : bytes);
    }
  }
  record_block(AllocationKind::kAllocate, operation, caller, address, bytes);
}

void record_release(Operation operation, const void* address) {
  record_late_release(operation, address, ticks());
}

void record_late_release(Operation operation, const void* address, std::uint64_t before_ticks) {
  if (g_memory_mode == format::MemoryMode::kSample) {
    forget_sample(value_of(address));
  }
  record_loss(AllocationKind::kFree, operation, value_of(address), 0, before_ticks);
}

void record_move(Operation operation, const StackPoint& caller, const void* from,
                 std::uint64_t before_ticks, const void* to, std::size_t bytes) {
  if (g_memory_mode == format::MemoryMode::kSample) {
    forget_sample(value_of(from));
  }
  record_loss(AllocationKind::kMoveFrom, operation, value_of(from), 0, before_ticks);
  record_block(AllocationKind::kMoveTo, operation, caller, to, bytes);
}

void record_map(Operation operation, const StackPoint& caller, std::uint64_t address,
                std::uint64_t bytes) {
  record_gain(AllocationKind::kMap, operation, caller, address, bytes);
}

void record_unmap(Operation operation, std::uint64_t address, std::uint64_t bytes,
                  std::uint64_t before_ticks) {
  record_loss(AllocationKind::kUnmap, operation, address, bytes, before_ticks);
}

}  // namespace spyglass::runtime
