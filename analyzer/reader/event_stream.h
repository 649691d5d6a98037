// SPDX-License-Identifier: Apache-2.0
// event_stream.h - everything that a recording says happened, in the order of time.
//
// A span happens when it ends (see span_stream.h), a loss at the end of the session, since records
// of losses are sums.
//
//   Where    tools.
//   Memory   as span_stream.h, and the births and ends of all processes and threads.
//   Errors   damaged blocks are left out and stand in the reader's damage().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "analyzer/reader/allocation_stream.h"
#include "analyzer/reader/moment_stream.h"
#include "analyzer/reader/recording_tables.h"
#include "analyzer/reader/sgz_reader.h"
#include "analyzer/reader/span_stream.h"
#include "format/records.h"

namespace spyglass {

enum class EventKind : std::uint8_t {
  kProcessStart,
  kThreadStart,
  kSpan,
  kSample,
  kContention,
  kException,
  kFatalSignal,
  kLockOrder,
  kAllocation,
  kResident,
  kSnapshot,
  kOpenCall,
  kThreadEnd,
  kProcessEnd,
  kLoss,
  kSessionEnd,
};

// The pointer that belongs to the kind is set; all of them live until the next event.
struct Event {
  EventKind kind = EventKind::kSpan;
  std::uint64_t ticks = 0;
  ThreadSpan span;
  const format::ProcessRecord* process = nullptr;
  const format::ThreadRecord* thread = nullptr;
  const format::CounterRow* row = nullptr;  // what was counted up to `ticks`
  const format::OpenCall* open_call = nullptr;
  const format::EventRecord* moment = nullptr;  // samples to lock orders
  const format::AllocationRecord* allocation = nullptr;
  const format::ResidentRecord* resident = nullptr;
  std::uint32_t thread_id = 0;  // of a moment or an allocation
  const format::LossRecord* loss = nullptr;
  const format::EndInfo* end = nullptr;
  const BlockView* block = nullptr;  // of a snapshot
};

struct EventFilter {
  std::uint32_t kinds = ~0U;  // bit (1 << EventKind) for each one wanted
  // Which thread ids are wanted; empty: all, and events of no thread.
  std::function<bool(std::uint32_t)> thread;
  std::uint64_t first_ticks = 0;
  std::uint64_t last_ticks = ~std::uint64_t{0};

  bool wants(EventKind kind) const { return ((kinds >> static_cast<unsigned>(kind)) & 1U) != 0; }
};

class EventStream {
 public:
  // `tables` are the reader's; both outlive the stream.
  EventStream(SgzReader& reader, const RecordingTables& tables, EventFilter filter);

  bool next(Event& event);

 private:
  void add(EventKind kind, std::uint64_t ticks, Event event);
  void add_lives();
  void add_sums();
  void add_snapshots();
  std::vector<BlockView> wanted_blocks(const std::vector<BlockView>& blocks,
                                       std::uint32_t kinds) const;
  bool wants_thread(std::uint32_t thread) const {
    return !filter_.thread || filter_.thread(thread);
  }
  bool next_span();
  void next_allocation();
  void next_resident();
  bool take(EventKind kind, Event& event);
  bool next_moment();
  bool take_moment(Event& event);
  bool take_span(Event& event);
  bool next_row(Event& event);
  void load_snapshot(const BlockView& block);

  SgzReader& reader_;
  const RecordingTables& tables_;
  EventFilter filter_;
  std::vector<Event> events_;  // all but spans, by time; a snapshot stands for its block
  std::size_t position_ = 0;
  SpanStream spans_;
  std::optional<ThreadSpan> span_;  // the stream's next
  MomentStream moments_;
  std::optional<format::EventRecord> moment_;  // the stream's next
  EventKind moment_kind_ = EventKind::kSample;
  std::uint32_t moment_thread_ = 0;
  format::EventRecord given_;  // what the caller was told last
  AllocationStream allocations_;
  std::optional<format::AllocationRecord> allocation_;  // the stream's next
  std::uint32_t allocation_thread_ = 0;
  format::AllocationRecord given_allocation_;
  ResidentStream resident_;
  std::optional<format::ResidentRecord> resident_next_;
  format::ResidentRecord given_resident_;
  std::vector<format::CounterRow> rows_;
  std::size_t row_ = 0;
  std::uint64_t rows_ticks_ = 0;
  std::vector<std::uint8_t> raw_;
};

}  // namespace spyglass
