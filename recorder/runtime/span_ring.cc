// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/span_ring.h"

#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

using format::Lane;
using format::OnFull;

constexpr std::uint64_t kWaitNs = 20'000'000;

// Acquire pairs with the collector's release of ring_tail: what it has copied may be overwritten.
void refresh_limit(Lane* lane) {
  const std::uint64_t records = std::uint64_t{1} << lane->ring_shift;
  lane->ring_limit =
      lane->ring_tail.load(std::memory_order_acquire) + records - format::kRingMargin;
}

bool collector_lives() {
  return (g_session.arena->collector_alive.load(std::memory_order_relaxed) & format::kOwnerDied) ==
         0;
}

// Sleeps until the collector has made room or died, at most `turns` times kWaitNs. Not at all where
// the program forbids itself system calls: it could neither sleep nor wake the collector, which
// looks only now and then.
bool wait_for_room(Lane* lane, std::uint64_t turns) {
  for (; collector_lives() && turns != 0 && g_kernel_restricted == 0; --turns) {
    const std::uint32_t epoch = lane->drain_epoch.load(std::memory_order_acquire);
    // Sequentially consistent with the collector's store of ring_tail and load of writer_waiting:
    // either it sees that we wait, or we see its room.
    lane->writer_waiting.store(1, std::memory_order_seq_cst);
    refresh_limit(lane);
    if (lane->ring_head < lane->ring_limit) {
      lane->writer_waiting.store(0, std::memory_order_relaxed);
      return true;
    }
    ring_doorbell(lane);
    futex_wait(&lane->drain_epoch, epoch, kWaitNs);
    lane->writer_waiting.store(0, std::memory_order_relaxed);
  }
  return false;
}

}  // namespace

bool make_room(Lane* lane) {
  refresh_limit(lane);
  if (lane->ring_head < lane->ring_limit) {
    return true;
  }
  if (lane->on_full == static_cast<std::uint32_t>(OnFull::kBlock) &&
      wait_for_room(lane, ~std::uint64_t{0})) {
    return true;
  }
  lane->spans_dropped += 1;
  return false;
}

bool make_room_for_event(Lane* lane, std::uint64_t patience_ns) {
  if (lane->ring_head < lane->ring_limit) {
    return true;
  }
  refresh_limit(lane);
  return lane->ring_head < lane->ring_limit || wait_for_room(lane, patience_ns / kWaitNs);
}

void ring_doorbell(Lane* lane) {
  lane->doorbell_at = lane->ring_head + ((std::uint64_t{1} << lane->ring_shift) >> 2U);
  format::ArenaHeader* arena = g_session.arena;
  // Sequentially consistent, as is the collector's announcement that it goes to sleep.
  arena->doorbell.fetch_add(1, std::memory_order_seq_cst);
  if (arena->collector_sleeping.load(std::memory_order_seq_cst) != 0) {
    futex_wake(&arena->doorbell, 1);
  }
}

void push_span_slowly(Lane* lane, std::uint32_t node_cell, std::uint64_t start_ticks,
                      std::uint64_t duration_ticks) {
  if (make_room(lane)) {
    push_short_span(lane, node_cell, start_ticks, duration_ticks);
  }
}

void push_long_span(Lane* lane, std::uint32_t node_cell, std::uint64_t start_ticks,
                    std::uint64_t duration_ticks) {
  if (lane->ring_head >= lane->ring_limit && !make_room(lane)) {
    return;
  }
  const std::uint64_t position = reserve_records(lane, 2);
  write_record(lane, position + 1, duration_ticks,
               record_head(format::RingKind::kContinuation, node_cell));
  write_record(lane, position, start_ticks, record_head(format::RingKind::kLongSpan, node_cell));
}

}  // namespace spyglass::runtime
