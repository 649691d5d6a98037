// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/event_stream.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "format/table_codec.h"

namespace spyglass {
namespace {

std::uint64_t end_of_session(const RecordingTables& tables) {
  if (tables.end) {
    return tables.end->end.ticks;
  }
  std::uint64_t last = 0;
  for (const auto* blocks : {&tables.span_blocks, &tables.counter_blocks, &tables.event_blocks,
                             &tables.allocation_blocks, &tables.resident_blocks}) {
    for (const BlockView& block : *blocks) {
      last = std::max(last, block.header.last_ticks);
    }
  }
  return last;
}

constexpr std::uint32_t bit(EventKind kind) { return 1U << static_cast<unsigned>(kind); }
constexpr std::uint32_t kMomentKinds = bit(EventKind::kSample) | bit(EventKind::kContention) |
                                       bit(EventKind::kException) | bit(EventKind::kFatalSignal) |
                                       bit(EventKind::kLockOrder);

// Nothing for kinds of later versions.
std::optional<EventKind> kind_of(const format::EventRecord& moment) {
  switch (moment.kind) {
    case format::EventKind::kSample:
      return EventKind::kSample;
    case format::EventKind::kContention:
      return EventKind::kContention;
    case format::EventKind::kException:
      return EventKind::kException;
    case format::EventKind::kFatalSignal:
      return EventKind::kFatalSignal;
    case format::EventKind::kLockOrder:
      return EventKind::kLockOrder;
  }
  return std::nullopt;
}

}  // namespace

EventStream::EventStream(SgzReader& reader, const RecordingTables& tables, EventFilter filter)
    : reader_(reader),
      tables_(tables),
      filter_(std::move(filter)),
      spans_(reader, wanted_blocks(tables.span_blocks, bit(EventKind::kSpan))),
      moments_(reader, wanted_blocks(tables.event_blocks, kMomentKinds)),
      allocations_(reader, wanted_blocks(tables.allocation_blocks, bit(EventKind::kAllocation))),
      resident_(reader, wanted_blocks(tables.resident_blocks, bit(EventKind::kResident))) {
  add_lives();
  add_snapshots();
  add_sums();
  // At equal times in the order of the kinds: births, what happened, ends.
  std::ranges::stable_sort(events_, {},
                           [](const Event& event) { return std::tuple(event.ticks, event.kind); });
  next_span();
  next_moment();
  next_allocation();
  next_resident();
}

void EventStream::add(EventKind kind, std::uint64_t ticks, Event event) {
  if (filter_.wants(kind) && ticks >= filter_.first_ticks && ticks <= filter_.last_ticks) {
    event.kind = kind;
    event.ticks = ticks;
    events_.push_back(event);
  }
}

void EventStream::add_lives() {
  for (const auto& [id, process] : tables_.processes) {
    if (filter_.thread) {
      break;  // asked for threads, not for processes
    }
    Event event;
    event.process = &process;
    add(EventKind::kProcessStart, process.start_ticks, event);
    if (process.end_ticks != 0) {
      add(EventKind::kProcessEnd, process.end_ticks, event);
    }
  }
  for (const auto& [id, thread] : tables_.threads) {
    if (!wants_thread(id)) {
      continue;
    }
    Event event;
    event.thread = &thread;
    add(EventKind::kThreadStart, thread.birth_ticks, event);
    if (thread.exit_ticks != 0) {
      add(EventKind::kThreadEnd, thread.exit_ticks, event);
    }
  }
}

void EventStream::add_sums() {
  for (const format::OpenCall& call : tables_.open_at_end) {
    if (wants_thread(call.thread)) {
      Event event;
      event.open_call = &call;
      add(EventKind::kOpenCall, call.ticks, event);
    }
  }
  const std::uint64_t end = end_of_session(tables_);
  for (const format::LossRecord& loss : tables_.losses) {
    if (wants_thread(loss.thread)) {
      Event event;
      event.loss = &loss;
      add(EventKind::kLoss, end, event);
    }
  }
  if (tables_.end && !filter_.thread) {
    Event event;
    event.end = &*tables_.end;
    add(EventKind::kSessionEnd, end, event);
  }
}

// Each block of counters is one event until its turn comes, then one for each row.
void EventStream::add_snapshots() {
  for (const BlockView& block : tables_.counter_blocks) {
    Event event;
    event.block = &block;
    add(EventKind::kSnapshot, block.header.last_ticks, event);
  }
}

std::vector<BlockView> EventStream::wanted_blocks(const std::vector<BlockView>& all,
                                                  std::uint32_t kinds) const {
  std::vector<BlockView> blocks;
  for (const BlockView& block : all) {
    if ((filter_.kinds & kinds) != 0 && wants_thread(block.header.thread) &&
        block.header.last_ticks >= filter_.first_ticks &&
        block.header.first_ticks <= filter_.last_ticks) {
      blocks.push_back(block);
    }
  }
  return blocks;
}

// Spans that overlap the time range, also those that end after it.
bool EventStream::next_span() {
  ThreadSpan span;
  while (spans_.next(span)) {
    if (span.end_ticks() >= filter_.first_ticks && span.span.start_ticks <= filter_.last_ticks) {
      span_ = span;
      return true;
    }
  }
  span_.reset();
  return false;
}

bool EventStream::next_moment() {
  std::uint32_t thread = 0;
  while (format::EventRecord* moment = moments_.next(thread)) {
    const auto kind = kind_of(*moment);
    if (kind && filter_.wants(*kind) && MomentBlocks::ticks(*moment) >= filter_.first_ticks &&
        moment->start_ticks <= filter_.last_ticks) {
      moment_kind_ = *kind;
      moment_ = std::move(*moment);
      moment_thread_ = thread;
      return true;
    }
  }
  moment_.reset();
  return false;
}

bool EventStream::take_moment(Event& event) {
  given_ = std::move(*moment_);
  event = Event{};
  event.kind = moment_kind_;
  event.ticks = MomentBlocks::ticks(given_);
  event.moment = &given_;
  event.thread_id = moment_thread_;
  next_moment();
  return true;
}

bool EventStream::take_span(Event& event) {
  event = Event{};
  event.kind = EventKind::kSpan;
  event.ticks = span_->end_ticks();
  event.span = *span_;
  next_span();
  return true;
}

bool EventStream::next_row(Event& event) {
  while (row_ < rows_.size()) {
    const format::CounterRow& row = rows_[row_++];
    if (wants_thread(row.thread)) {
      event = Event{};
      event.kind = EventKind::kSnapshot;
      event.ticks = rows_ticks_;
      event.row = &row;
      return true;
    }
  }
  return false;
}

void EventStream::load_snapshot(const BlockView& block) {
  rows_.clear();
  row_ = 0;
  rows_ticks_ = block.header.last_ticks;
  if (reader_.payload(block, raw_)) {
    // A payload that can't be decoded leaves no rows; verify reports it.
    (void)format::decode_counters(raw_, block.header.records, rows_).has_value();
  }
}

void EventStream::next_allocation() {
  allocation_.reset();
  while (const format::AllocationRecord* record = allocations_.next(allocation_thread_)) {
    if (record->ticks >= filter_.first_ticks && record->ticks <= filter_.last_ticks) {
      allocation_ = *record;
      return;
    }
  }
}

void EventStream::next_resident() {
  resident_next_.reset();
  std::uint32_t thread = 0;
  while (const format::ResidentRecord* record = resident_.next(thread)) {
    if (record->ticks >= filter_.first_ticks && record->ticks <= filter_.last_ticks) {
      resident_next_ = *record;
      return;
    }
  }
}

bool EventStream::take(EventKind kind, Event& event) {
  if (kind == EventKind::kSpan) return take_span(event);
  if (kind != EventKind::kAllocation && kind != EventKind::kResident) return take_moment(event);
  event = Event{};
  event.kind = kind;
  if (kind == EventKind::kAllocation) {
    given_allocation_ = *allocation_;
    event.ticks = given_allocation_.ticks;
    event.allocation = &given_allocation_;
    event.thread_id = allocation_thread_;
    next_allocation();
  } else {
    given_resident_ = *resident_next_;
    event.ticks = given_resident_.ticks;
    event.resident = &given_resident_;
    next_resident();
  }
  return true;
}

bool EventStream::next(Event& event) {
  while (!next_row(event)) {
    // What comes first, and at equal times what stands first among the kinds.
    using Rank = std::tuple<std::uint64_t, EventKind>;
    std::optional<Rank> first;
    const auto offer = [&first](std::uint64_t ticks, EventKind kind) {
      if (!first || Rank(ticks, kind) < *first) first = Rank(ticks, kind);
    };
    if (span_) offer(span_->end_ticks(), EventKind::kSpan);
    if (moment_) offer(MomentBlocks::ticks(*moment_), moment_kind_);
    if (allocation_) offer(allocation_->ticks, EventKind::kAllocation);
    if (resident_next_) offer(resident_next_->ticks, EventKind::kResident);
    const bool has_event = position_ < events_.size();
    if (first && (!has_event || *first < Rank(events_[position_].ticks, events_[position_].kind))) {
      return take(std::get<EventKind>(*first), event);
    }
    if (!has_event) return false;
    event = events_[position_++];
    if (event.kind != EventKind::kSnapshot) {
      return true;
    }
    load_snapshot(*event.block);
  }
  return true;
}

}  // namespace spyglass
