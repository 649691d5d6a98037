// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/lane_drain.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/process_table.h"
#include "recorder/collector/recording.h"

namespace spyglass::collector {
namespace {

using format::RingKind;

constexpr std::uint64_t kBatch = 4096;  // records between two looks at the owner
constexpr std::size_t kSpansPerBlock = 1U << 15U;
constexpr std::size_t kEventsPerBlock = 1U << 13U;
constexpr std::size_t kAllocationsPerBlock = 1U << 15U;
constexpr std::uint64_t kClockSlackTicks = 1U << 24U;  // processors' counters may differ a little
constexpr std::uint64_t kNodeAndDuration = (std::uint64_t{1} << format::kRingKindShift) - 1;

std::uint64_t lap_bit(std::uint64_t position, unsigned shift) { return (position >> shift) << 63U; }

std::uint64_t load(const std::uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }

RingKind kind_of(std::uint64_t word) {
  return static_cast<RingKind>((word >> format::kRingKindShift) & 7U);
}

// Keeps memory that is needed again, and no more.
template <typename Record>
void empty(std::vector<Record>& records) {
  if (records.capacity() > 1024 && records.size() < records.capacity() / 8) {
    records = {};
  }
  records.clear();
}

// How many records belong to the one whose second word this is; kNoHead: it begins none.
constexpr std::uint64_t kNoHead = ~std::uint64_t{0};
std::uint64_t continuations_of(std::uint64_t word) {
  switch (kind_of(word)) {
    case RingKind::kLongSpan:
    case RingKind::kAllocation:
      return 1;
    case RingKind::kEvent:
      return word >> format::kEventContinuationsShift & 0xffU;
    case RingKind::kSpan:
    case RingKind::kContinuation:
      break;
  }
  return kNoHead;
}

std::uint32_t cell_of(std::uint64_t word) {
  return static_cast<std::uint32_t>((word >> format::kRingNodeShift) & format::kRingNodeMask);
}

}  // namespace

LaneDrain::LaneDrain(const Arena& arena, LaneNodes& nodes, Recording& recording,
                     format::OnFull on_full, std::uint64_t session_start_ticks)
    : arena_(arena),
      nodes_(nodes),
      recording_(recording),
      on_full_(on_full),
      session_start_ticks_(session_start_ticks) {}

void LaneDrain::add_span(LaneView& view, std::uint32_t cell, std::uint64_t start_ticks,
                         std::uint64_t duration_ticks) {
  const std::uint32_t node = nodes_.find(view, cell);
  const std::uint64_t end_ticks = start_ticks + duration_ticks;
  if (node == 0 || !makes_sense(start_ticks, end_ticks)) {
    view.damaged += 1;
    return;
  }
  // A signal handler's calls may stand before the call that it interrupted.
  view.spans_sorted &= end_ticks >= view.last_end_ticks;
  view.last_end_ticks = end_ticks;
  view.spans.push_back({start_ticks, duration_ticks, node});
}

// The node that an event names in another lane, if a thread of the same process still owns it.
void LaneDrain::find_other(std::uint64_t word, format::EventRecord& event) {
  const auto lane = static_cast<std::uint32_t>(word >> 32U);
  LaneView* view = views_ != nullptr && lane < views_->size() ? (*views_)[lane].get() : nullptr;
  if (view != nullptr) {
    event.other_node = nodes_.find(*view, static_cast<std::uint32_t>(word));
    event.other_thread = view->thread.id;
  }
}

// The holder of a lock is a tid. Its node lies in its own lane, which another thread may have by
// now; or, where it had none yet, in the waiter's, who only knows the call that took the lock.
void LaneDrain::find_holder(LaneView& view, std::uint64_t word, format::EventRecord& event) {
  const auto lane = static_cast<std::uint32_t>(word >> 32U);
  const auto cell = static_cast<std::uint32_t>(word);
  const auto tid = static_cast<std::uint32_t>(event.value);
  const auto ended = std::ranges::find_if(ended_, [&](const EndedLane& one) {
    return one.tid == tid && one.process == view.thread.process;
  });
  for (const std::uint32_t index : view.process->lanes) {
    LaneView* other = views_ == nullptr ? nullptr : (*views_)[index].get();
    if (other != nullptr && peek(arena_.lane(index).tid) == tid) {
      event.other_thread = other->thread.id;
      event.other_node = index == lane ? nodes_.find(*other, cell) : 0;
    }
  }
  if (event.other_thread == 0 && ended != ended_.end()) {
    event.other_thread = ended->thread;
    event.other_node = cell < ended->cell_nodes.size() ? ended->cell_nodes[cell] : 0;
    event.other_node &= ~LaneView::kCounted;
  }
  if (lane == view.index) {
    event.other_node = nodes_.find(view, cell);
  }
}

void LaneDrain::add_unfinished_wait(LaneView& view, std::uint64_t end_ticks) {
  const format::Lane& lane = arena_.lane(view.index);
  format::EventRecord event;
  event.kind = format::EventKind::kContention;
  event.node = nodes_.find(view, peek(lane.awaited_cell));
  event.start_ticks = peek(lane.awaited_since_ticks);
  event.value = peek(lane.awaited_holder_tid);
  latest_ticks_ = std::max(latest_ticks_, end_ticks);
  if (event.node == 0 || !makes_sense(event.start_ticks, end_ticks)) {
    return;
  }
  event.duration_ticks = end_ticks - event.start_ticks;
  event.text = format::kStillWaiting;
  const std::uint64_t holder = std::uint64_t{peek(lane.awaited_holder_lane)} << 32U;
  find_holder(view, holder | peek(lane.awaited_holder_cell), event);
  view.events.push_back(std::move(event));
}

void LaneDrain::remember(const LaneView& view) {
  constexpr std::size_t kRemembered = 64;
  if (ended_.size() == kRemembered) {
    ended_.pop_front();
  }
  ended_.push_back(
      {view.thread.process, peek(arena_.lane(view.index).tid), view.thread.id, view.cell_nodes});
}

bool LaneDrain::makes_sense(std::uint64_t start_ticks, std::uint64_t end_ticks) const {
  return end_ticks >= start_ticks && end_ticks <= latest_ticks_ &&
         start_ticks + kClockSlackTicks >= session_start_ticks_;
}

void LaneDrain::add_event(LaneView& view, std::uint64_t start_ticks, std::uint64_t head,
                          std::span<const std::uint64_t> words) {
  format::EventRecord event;
  event.kind = static_cast<format::EventKind>(head & 0xffU);
  event.node = nodes_.find(view, cell_of(head));
  event.start_ticks = start_ticks;
  event.duration_ticks = words.empty() ? 0 : words[0];
  if (event.node == 0 || !makes_sense(start_ticks, start_ticks + event.duration_ticks)) {
    view.damaged += 1;
    return;
  }
  event.value = words.size() > 2 ? words[2] : 0;
  if (event.kind == format::EventKind::kContention) {
    find_holder(view, words.size() > 1 ? words[1] : 0, event);
  } else if (words.size() > 1 && words[1] != 0) {
    find_other(words[1], event);
  }
  for (std::size_t i = format::kEventTextAt; i < words.size(); ++i) {
    for (unsigned byte = 0; byte < 8; ++byte) {
      event.text.push_back(static_cast<char>(words[i] >> (8 * byte)));
    }
  }
  event.text.resize(::strnlen(event.text.data(), event.text.size()));
  view.process->crash_recorded |= event.kind == format::EventKind::kFatalSignal;
  view.events.push_back(std::move(event));
}

void LaneDrain::add_allocation(LaneView& view, std::uint64_t ticks, std::uint64_t head,
                               std::uint64_t address, std::uint64_t bytes) {
  const std::uint32_t node = nodes_.find(view, cell_of(head));
  const auto kind = static_cast<format::AllocationKind>(head & 0xffU);
  if (node == 0 || kind > format::AllocationKind::kUnmap || !makes_sense(ticks, ticks)) {
    view.damaged += 1;
    return;
  }
  view.allocations_sorted &= view.allocations.empty() || view.allocations.back().ticks <= ticks;
  view.allocations.push_back({ticks, kind, node, address, bytes & format::kRingBytesMask});
}

std::uint64_t LaneDrain::Ring::word0(std::uint64_t position) const {
  return load(records[2 * (position & mask)]);
}

std::uint64_t LaneDrain::Ring::word1(std::uint64_t position) const {
  return load(records[2 * (position & mask) + 1]) ^ lap_bit(position, shift);
}

// Fills `words` from the records after `position` as long as they are continuations; how many.
std::size_t LaneDrain::read_continuations(const Ring& ring, std::uint64_t position,
                                          std::uint64_t end, std::span<std::uint64_t> words) const {
  std::size_t count = 0;
  while (count < words.size() && ++position < end) {
    const std::uint64_t word1 = ring.word1(position);
    if ((word1 & format::kRingLapBit) != 0 || kind_of(word1) != RingKind::kContinuation) {
      break;
    }
    words[count++] = ring.word0(position);
  }
  return count;
}

// Takes the record at `position` and the `more` ones that belong to it, if they are there.
bool LaneDrain::take_long(LaneView& view, const Ring& ring, std::uint64_t position,
                          std::uint64_t end, std::uint64_t more) {
  const std::uint64_t head = ring.word1(position);
  if (kind_of(head) == RingKind::kAllocation && position + 1 < end) {
    const std::uint64_t next = ring.word1(position + 1);
    if ((next & format::kRingLapBit) != 0 || kind_of(next) != RingKind::kContinuation) {
      return false;
    }
    add_allocation(view, ring.word0(position), head, ring.word0(position + 1), next);
    return true;
  }
  std::array<std::uint64_t, 256> words;
  if (read_continuations(ring, position, end, std::span(words).first(more)) != more) {
    return false;
  }
  if (kind_of(head) == RingKind::kLongSpan) {
    add_span(view, cell_of(head), ring.word0(position), words[0]);
  } else {
    add_event(view, ring.word0(position), head, std::span(words).first(more));
  }
  return true;
}

// Takes positions [first, end) of those up to `head`; the record of a position is at `position &
// mask`. Returns the first position that is not dealt with: `end`, or one that is not yet written.
std::uint64_t LaneDrain::take(LaneView& view, const std::uint64_t* records, std::uint64_t mask,
                              std::uint64_t first, std::uint64_t end, std::uint64_t head,
                              bool final) {
  const Ring ring = {records, mask,
                     static_cast<unsigned>(std::countr_zero(arena_.geometry().ring_records))};
  for (std::uint64_t position = first; position != end; ++position) {
    const std::uint64_t word1 = ring.word1(position);
    if (word1 <= kNodeAndDuration && word1 != 0) {  // written in this lap, kSpan
      add_span(view, cell_of(word1), ring.word0(position), word1 & format::kRingDurationMask);
      continue;
    }
    const bool written = (word1 & format::kRingLapBit) == 0 && word1 != 0;
    if (!written && !final) {
      return position;
    }
    if (const std::uint64_t more = written ? continuations_of(word1) : kNoHead; more != kNoHead) {
      if (position + more >= end && (!final || end != head)) {
        return position;  // with all its records in the next batch
      }
      if (take_long(view, ring, position, end, more)) {
        position += more;
        continue;
      }
    }
    view.damaged += 1;
    if (!written) {
      mend(view, position);
    }
  }
  return end;
}

// A record that its dead owner never wrote gets this lap's parity, so that the lane's next owner's
// lap starts from a stale one.
void LaneDrain::mend(const LaneView& view, std::uint64_t position) {
  const std::uint64_t size = arena_.geometry().ring_records;
  std::uint64_t* word = arena_.ring(view.index) + 2 * (position & (size - 1)) + 1;
  __atomic_store_n(word, lap_bit(position, static_cast<unsigned>(std::countr_zero(size))),
                   __ATOMIC_RELAXED);
}

void LaneDrain::publish_tail(LaneView& view) {
  format::Lane& lane = arena_.lane(view.index);
  // Sequentially consistent with the owner's store of writer_waiting: one of the two sees the
  // other.
  lane.ring_tail.store(view.tail, std::memory_order_seq_cst);
  if (lane.writer_waiting.load(std::memory_order_seq_cst) != 0) {
    lane.drain_epoch.fetch_add(1, std::memory_order_seq_cst);
    futex_wake_all(lane.drain_epoch);
  }
}

// OnFull::kDropOldest: the owner never stops, so records count only if they are still there after
// they were copied.
std::uint64_t LaneDrain::take_overwritable(LaneView& view, std::uint64_t head, bool final) {
  const std::uint64_t size = arena_.geometry().ring_records;
  const std::uint64_t* ring = arena_.ring(view.index);
  const auto skip_to = [&](std::uint64_t oldest) {
    if (view.tail < oldest) {
      view.overwritten += oldest - view.tail;
      view.tail = oldest;
    }
  };
  skip_to(head > size ? head - size : 0);
  const std::uint64_t end = view.tail + std::min(head - view.tail, kBatch);
  copied_.resize(2 * kBatch);
  for (std::uint64_t position = view.tail; position != end; ++position) {
    for (const std::uint64_t word : {0U, 1U}) {
      copied_[2 * (position & (kBatch - 1)) + word] =
          load(ring[2 * (position & (size - 1)) + word]);
    }
  }
  const std::uint64_t head_after =
      __atomic_load_n(&arena_.lane(view.index).ring_head, __ATOMIC_ACQUIRE);
  skip_to(std::min(head_after > size ? head_after - size : 0, end));
  return take(view, copied_.data(), kBatch - 1, view.tail, end, head, final);
}

std::uint64_t LaneDrain::drain(LaneView& view, bool final) {
  const std::uint64_t size = arena_.geometry().ring_records;
  const std::uint64_t head = __atomic_load_n(&arena_.lane(view.index).ring_head, __ATOMIC_ACQUIRE);
  const bool overwritable = on_full_ == format::OnFull::kDropOldest;
  if (head <= view.tail || (!overwritable && head - view.tail > size)) {
    return 0;  // nothing, or scribbled over
  }
  latest_ticks_ = now_ticks() + kClockSlackTicks;
  busy_ = head - view.tail > size / 4;
  const std::uint64_t begin = view.tail;
  const std::size_t spans_before = view.spans.size();
  for (std::uint64_t before = begin; view.tail < head; before = view.tail) {
    if (overwritable) {
      view.tail = take_overwritable(view, head, final);
    } else {
      const std::uint64_t end = view.tail + std::min(head - view.tail, kBatch);
      view.tail = take(view, arena_.ring(view.index), size - 1, view.tail, end, head, final);
    }
    if (view.tail == before) {
      break;
    }
    publish_tail(view);
  }
  waiting_spans_ += view.spans.size() - spans_before;
  if (view.spans.size() >= kSpansPerBlock || view.events.size() >= kEventsPerBlock ||
      view.allocations.size() >= kAllocationsPerBlock) {
    write_spans(view);
  }
  return view.tail - begin;
}

void LaneDrain::write_spans(LaneView& view) {
  waiting_spans_ -= view.spans.size();
  recording_.write_spans(view.thread.id, view.spans, view.spans_sorted,
                         busy_ ? format::Codec::kLz4 : format::Codec::kZstd);
  recording_.write_events(view.thread.id, view.events);
  view.events.clear();
  recording_.write_allocations(view.thread.id, view.allocations, view.allocations_sorted,
                               busy_ ? format::Codec::kLz4 : format::Codec::kZstd);
  empty(view.allocations);
  view.allocations_sorted = true;
  empty(view.spans);
  view.spans_sorted = true;
}

}  // namespace spyglass::collector
