// SPDX-License-Identifier: Apache-2.0
// span_ring.h - the producer's side of a lane's span ring.
//
// A position is reserved with one instruction, so a signal handler that interrupts gets the next
// one; the second word is written last and carries the lap's parity, so the collector sees which
// records are whole. The cached limit keeps the collector's cache line out of the hot path.
//
//   Where    target side, at the end of calls that last at least the threshold.
//   Threads  the lane's owner.
//   Errors   a full ring drops and counts, overwrites or waits: RecordingOptions::on_full.
#pragma once

#include <cstdint>

#include "format/arena.h"

namespace spyglass::runtime {

// Makes room or says that there is none (the span is then counted as dropped).
bool make_room(format::Lane* lane);

// The same for an event that is worth waiting for, at most `patience_ns` and while a collector
// lives. Counts nothing.
bool make_room_for_event(format::Lane* lane, std::uint64_t patience_ns);

// Tells the collector that the ring fills.
void ring_doorbell(format::Lane* lane);

// Keeps a call if room can be made for it.
[[gnu::cold, gnu::noinline]] void push_span_slowly(format::Lane* lane, std::uint32_t node_cell,
                                                   std::uint64_t start_ticks,
                                                   std::uint64_t duration_ticks);

// Keeps a call that does not fit one record.
void push_long_span(format::Lane* lane, std::uint32_t node_cell, std::uint64_t start_ticks,
                    std::uint64_t duration_ticks);

// `count` positions that stand together, whatever handler comes in between.
inline std::uint64_t reserve_records(format::Lane* lane, std::uint64_t count) {
  std::uint64_t position = count;
  asm volatile("xaddq %0, %1" : "+r"(position), "+m"(lane->ring_head) : : "cc");
  return position;
}

inline void write_record(format::Lane* lane, std::uint64_t position, std::uint64_t word0,
                         std::uint64_t word1) {
  const std::uint64_t mask = (std::uint64_t{1} << lane->ring_shift) - 1;
  auto* record = reinterpret_cast<volatile std::uint64_t*>(lane->ring + (position & mask) * 16U);
  const std::uint64_t lap = (position >> lane->ring_shift) << 63U;
  record[0] = word0;
  record[1] = word1 | lap;  // after word 0: the collector reads word 1 first
}

// Asks for the cache line that is written some records later. The collector has read it a lap ago;
// where it runs on a processor far away, fetching the line back takes 200 ns and more, and stores
// would wait for one line after the other.
inline void claim_ahead(const format::Lane* lane, std::uint64_t position) {
  constexpr std::uint64_t kRecordsAhead = 512 / 16;
  const std::uint64_t mask = (std::uint64_t{1} << lane->ring_shift) - 1;
  const auto* line =
      reinterpret_cast<const char*>(lane->ring + ((position + kRecordsAhead) & mask) * 16U);
  // __builtin_prefetch() would ask for it to read only, where the compiler may not assume this.
  asm volatile("prefetchw %0" : : "m"(*line));
}

// The bits of word 1 that say what a record is and whose.
constexpr std::uint64_t record_head(format::RingKind kind, std::uint32_t node_cell) {
  return static_cast<std::uint64_t>(kind) << format::kRingKindShift | std::uint64_t{node_cell}
                                                                          << format::kRingNodeShift;
}

// There is room for it.
inline void push_short_span(format::Lane* lane, std::uint32_t node_cell, std::uint64_t start_ticks,
                            std::uint64_t duration_ticks) {
  const std::uint64_t position = reserve_records(lane, 1);
  claim_ahead(lane, position);
  write_record(lane, position, start_ticks,
               std::uint64_t{node_cell} << format::kRingNodeShift | duration_ticks);
  if (__builtin_expect(static_cast<long>(position >= lane->doorbell_at), 0) != 0) {
    ring_doorbell(lane);
  }
}

inline void push_span(format::Lane* lane, std::uint32_t node_cell, std::uint64_t start_ticks,
                      std::uint64_t duration_ticks) {
  if (__builtin_expect(static_cast<long>(duration_ticks > format::kRingDurationMask), 0) != 0) {
    push_long_span(lane, node_cell, start_ticks, duration_ticks);
    return;
  }
  if (__builtin_expect(static_cast<long>(lane->ring_head >= lane->ring_limit), 0) != 0) {
    push_span_slowly(lane, node_cell, start_ticks, duration_ticks);
    return;
  }
  push_short_span(lane, node_cell, start_ticks, duration_ticks);
}

}  // namespace spyglass::runtime
