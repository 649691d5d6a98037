// SPDX-License-Identifier: Apache-2.0
// recording.h - gathers records and writes them as blocks in an order that readers can follow: what
// is referred to comes first.
//
// A failed write loses spans only, which are counted; every other record waits for the next try.
//
//   Where    collector.
//   Threads  one at a time.
//   Memory   waiting rows are merged by (thread, node) once they are many.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/records.h"
#include "format/sgz.h"
#include "recorder/collector/loss_ledger.h"
#include "recorder/collector/node_interner.h"
#include "recorder/collector/sgz_writer.h"

namespace spyglass::collector {

class Recording {
 public:
  explicit Recording(SgzWriter writer);

  bool write_session(const format::SessionInfo& session);

  NodeInterner& nodes() { return nodes_; }
  LossLedger& losses() { return losses_; }
  SgzWriter& writer() { return writer_; }

  void add(const format::ProcessRecord& record) { processes_.push_back(record); }
  void add(const format::ThreadRecord& record) { threads_.push_back(record); }
  void add(format::CounterRow row);
  void add(const format::MetricRow& row) {
    samples_ += row.metric == format::Metric::kSamples ? row.value : 0;
    allocations_ += row.metric == format::Metric::kAllocations ? row.value : 0;
    metrics_.push_back(row);
  }
  void add(const format::OpenCall& call) { open_calls_.push_back(call); }
  std::size_t waiting_records() const {
    return rows_.size() + metrics_.size() + open_calls_.size() + threads_.size() +
           processes_.size();
  }

  // Spans of one thread; sorts them by end time. They are written or counted as lost.
  void write_spans(std::uint32_t thread, std::vector<format::SpanRecord>& spans, bool sorted,
                   format::Codec codec);
  // Events of one thread; sorts them by end time. They are written or counted as lost.
  void write_events(std::uint32_t thread, std::vector<format::EventRecord>& events);
  // Allocations of one thread; sorts them by time. They are written or counted as lost.
  void write_allocations(std::uint32_t thread, std::vector<format::AllocationRecord>& records,
                         bool sorted, format::Codec codec);
  void add(const format::ResidentRecord& record) { resident_.push_back(record); }
  // Everything that waits. Counter rows cover the time since the last flush that was a snapshot.
  bool flush(std::uint64_t now_ticks, bool snapshot);

  // The last blocks: names, losses, end, index. False: some of it is not in the file.
  bool finish(const std::vector<format::SymbolRecord>& symbols, const format::EndInfo& end);

  std::uint64_t spans_written() const { return spans_written_; }
  // Completed and still open ones, as reports count them.
  std::uint64_t calls_written() const { return calls_written_; }
  std::uint64_t samples() const { return samples_; }          // whoever took them
  std::uint64_t allocations() const { return allocations_; }  // as counted, kept or not

 private:
  bool write_references();
  bool write_rows(std::uint64_t now_ticks);
  bool write_metrics(std::uint64_t now_ticks);
  bool write_open_calls(std::uint64_t now_ticks);
  bool write_resident();
  bool append(format::BlockKind kind, std::uint32_t records, std::uint64_t first_ticks,
              std::uint64_t last_ticks, format::Codec codec = format::Codec::kZstd,
              std::uint32_t thread = 0);
  void merge_rows();
  void merge_metrics();

  SgzWriter writer_;
  NodeInterner nodes_;
  LossLedger losses_;
  std::vector<format::ProcessRecord> processes_;
  std::vector<format::ThreadRecord> threads_;
  std::vector<format::CounterRow> rows_;
  std::vector<format::MetricRow> metrics_;
  std::vector<format::OpenCall> open_calls_;
  std::vector<format::ResidentRecord> resident_;
  std::uint64_t snapshot_ticks_ = 0;  // of the last one
  std::size_t merged_rows_ = 0;       // rows_ that are known to be distinct
  std::uint64_t spans_written_ = 0;
  std::uint64_t calls_written_ = 0;
  std::uint64_t samples_ = 0;
  std::uint64_t allocations_ = 0;
  std::vector<std::uint8_t> raw_;
};

}  // namespace spyglass::collector
