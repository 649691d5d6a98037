// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/recording.h"

#include <algorithm>
#include <span>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "format/allocation_codec.h"
#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "format/span_codec.h"
#include "format/table_codec.h"

namespace spyglass::collector {
namespace {

using format::BlockKind;

constexpr std::size_t kRowsPerBlock = 4096;
constexpr std::size_t kMetricsPerBlock = 1U << 15U;
constexpr std::size_t kOpenCallsPerBlock = 1U << 17U;
constexpr std::size_t kPeoplePerBlock = 4096;  // threads or processes
constexpr std::size_t kSymbolsPerBlock = 8192;
constexpr std::size_t kManyRows = 1U << 17U;

template <typename Interval>
std::uint64_t end_of(const Interval& interval) {
  return interval.start_ticks + interval.duration_ticks;
}

void merge_buckets(std::vector<format::BucketCount>& into,
                   const std::vector<format::BucketCount>& from) {
  for (const format::BucketCount& bucket : from) {
    const auto place = std::lower_bound(
        into.begin(), into.end(), bucket.bucket,
        [](const format::BucketCount& a, std::uint32_t number) { return a.bucket < number; });
    if (place != into.end() && place->bucket == bucket.bucket) {
      place->count += bucket.count;
    } else {
      into.insert(place, bucket);
    }
  }
}

// `from` is the later one.
void merge_row(format::CounterRow& into, const format::CounterRow& from) {
  into.calls += from.calls;
  into.wall_ticks += from.wall_ticks;
  into.off_cpu_ticks += from.off_cpu_ticks;
  into.min_ticks = from.min_ticks;
  into.max_ticks = from.max_ticks;
  into.untimed_calls += from.untimed_calls;
  into.fold_in_calls += from.fold_in_calls;
  into.fold_in_ticks += from.fold_in_ticks;
  into.fold_out_ticks += from.fold_out_ticks;
  merge_buckets(into.buckets, from.buckets);
}

}  // namespace

Recording::Recording(SgzWriter writer) : writer_(std::move(writer)) {}

bool Recording::append(BlockKind kind, std::uint32_t records, std::uint64_t first_ticks,
                       std::uint64_t last_ticks, format::Codec codec, std::uint32_t thread) {
  BlockContent content;
  content.kind = kind;
  content.raw = raw_;
  content.records = records;
  content.thread = thread;
  content.first_ticks = first_ticks;
  content.last_ticks = last_ticks;
  content.codec = codec;
  return writer_.append(content);
}

bool Recording::write_session(const format::SessionInfo& session) {
  snapshot_ticks_ = session.start.ticks;
  format::encode_session(session, raw_);
  return append(BlockKind::kSession, 1, session.start.ticks, session.start.ticks);
}

void Recording::add(format::CounterRow row) { rows_.push_back(std::move(row)); }

void Recording::write_spans(std::uint32_t thread, std::vector<format::SpanRecord>& spans,
                            bool sorted, format::Codec codec) {
  if (spans.empty()) {
    return;
  }
  if (!sorted) {
    std::stable_sort(spans.begin(), spans.end(),
                     [](const auto& a, const auto& b) { return end_of(a) < end_of(b); });
  }
  std::uint64_t first_ticks = ~std::uint64_t{0};
  for (const format::SpanRecord& span : spans) {
    first_ticks = std::min(first_ticks, span.start_ticks);
  }
  bool written = write_references();
  if (written) {
    raw_.clear();
    format::encode_spans(spans, raw_);
    written = append(BlockKind::kSpans, static_cast<std::uint32_t>(spans.size()), first_ticks,
                     end_of(spans.back()), codec, thread);
  }
  if (written) {
    spans_written_ += spans.size();
  } else {
    losses_.add(format::LossKind::kSpans, thread, writer_.failure(), spans.size());
  }
}

void Recording::write_events(std::uint32_t thread, std::vector<format::EventRecord>& events) {
  if (events.empty()) {
    return;
  }
  std::stable_sort(events.begin(), events.end(),
                   [](const auto& a, const auto& b) { return end_of(a) < end_of(b); });
  std::uint64_t first_ticks = ~std::uint64_t{0};
  for (const format::EventRecord& event : events) {
    first_ticks = std::min(first_ticks, event.start_ticks);
  }
  bool written = write_references();
  if (written) {
    raw_.clear();
    format::encode_events(events, raw_);
    written = append(BlockKind::kEvents, static_cast<std::uint32_t>(events.size()), first_ticks,
                     end_of(events.back()), format::Codec::kZstd, thread);
  }
  if (!written) {
    const auto is_sample = [](const auto& e) { return e.kind == format::EventKind::kSample; };
    const auto samples =
        static_cast<std::uint64_t>(std::count_if(events.begin(), events.end(), is_sample));
    losses_.add(format::LossKind::kSamples, thread, writer_.failure(), samples);
    losses_.add(format::LossKind::kEvents, thread, writer_.failure(), events.size() - samples);
  }
}

void Recording::write_allocations(std::uint32_t thread,
                                  std::vector<format::AllocationRecord>& records, bool sorted,
                                  format::Codec codec) {
  if (records.empty()) {
    return;
  }
  if (!sorted) {
    std::ranges::stable_sort(records, {}, &format::AllocationRecord::ticks);
  }
  bool written = write_references();
  if (written) {
    raw_.clear();
    format::encode_allocations(records, raw_);
    written = append(BlockKind::kAllocations, static_cast<std::uint32_t>(records.size()),
                     records.front().ticks, records.back().ticks, codec, thread);
  }
  if (!written) {
    losses_.add(format::LossKind::kAllocations, thread, writer_.failure(), records.size());
  }
}

bool Recording::write_references() {
  if (!nodes_.write_new(writer_)) {
    return false;
  }
  const auto write_all = [&](BlockKind kind, auto& records, const auto& encode) {
    while (!records.empty()) {
      const std::size_t count = std::min(records.size(), kPeoplePerBlock);
      encode(std::span(records).first(count), raw_);
      if (!append(kind, static_cast<std::uint32_t>(count), 0, 0)) {
        return false;
      }
      records.erase(records.begin(), records.begin() + static_cast<std::ptrdiff_t>(count));
    }
    return true;
  };
  return write_all(BlockKind::kProcesses, processes_, format::encode_processes) &&
         write_all(BlockKind::kThreads, threads_, format::encode_threads);
}

bool Recording::write_rows(std::uint64_t now_ticks) {
  std::size_t written = 0;
  bool good = true;
  while (good && written < rows_.size()) {
    const auto rows =
        std::span(rows_).subspan(written).first(std::min(kRowsPerBlock, rows_.size() - written));
    raw_.clear();
    format::encode_counters(rows, raw_);
    good = append(BlockKind::kCounters, static_cast<std::uint32_t>(rows.size()), snapshot_ticks_,
                  now_ticks);
    if (good) {
      written += rows.size();
      for (const format::CounterRow& row : rows) {
        calls_written_ += nodes_.is_object(row.node) ? 0 : row.calls + row.untimed_calls;
      }
    }
  }
  rows_.erase(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(written));
  return good;
}

void Recording::merge_metrics() {
  const auto key = [](const format::MetricRow& row) {
    return std::tuple(row.thread, row.node, row.metric);
  };
  std::sort(metrics_.begin(), metrics_.end(),
            [&](const auto& a, const auto& b) { return key(a) < key(b); });
  std::size_t kept = 0;
  for (const format::MetricRow& row : metrics_) {
    if (kept != 0 && key(metrics_[kept - 1]) == key(row)) {
      metrics_[kept - 1].value += row.value;
    } else {
      metrics_[kept++] = row;
    }
  }
  metrics_.resize(kept);
}

bool Recording::write_metrics(std::uint64_t now_ticks) {
  merge_metrics();
  std::size_t written = 0;
  while (written < metrics_.size()) {
    const auto rows = std::span(metrics_).subspan(written).first(
        std::min(kMetricsPerBlock, metrics_.size() - written));
    raw_.clear();
    format::encode_metrics(rows, raw_);
    if (!append(BlockKind::kMetrics, static_cast<std::uint32_t>(rows.size()), snapshot_ticks_,
                now_ticks)) {
      break;
    }
    written += rows.size();
  }
  metrics_.erase(metrics_.begin(), metrics_.begin() + static_cast<std::ptrdiff_t>(written));
  return metrics_.empty();
}

bool Recording::write_open_calls(std::uint64_t now_ticks) {
  while (!open_calls_.empty()) {
    const std::size_t count = std::min(open_calls_.size(), kOpenCallsPerBlock);
    raw_.clear();
    format::encode_open_calls(std::span(open_calls_).first(count), raw_);
    if (!append(BlockKind::kOpenCalls, static_cast<std::uint32_t>(count), now_ticks, now_ticks)) {
      // Those of snapshots are worth nothing later.
      std::erase_if(open_calls_, [](const format::OpenCall& call) { return !call.final; });
      return false;
    }
    const auto counts = [&](const format::OpenCall& call) {
      return call.final && !call.inherited && call.node != format::kRootNode &&
             !nodes_.is_object(call.node);
    };
    const auto written = std::span(open_calls_).first(count);
    calls_written_ += static_cast<std::uint64_t>(std::ranges::count_if(written, counts));
    open_calls_.erase(open_calls_.begin(),
                      open_calls_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return true;
}

bool Recording::write_resident() {
  if (resident_.empty()) {
    return true;
  }
  raw_.clear();
  format::encode_resident(resident_, raw_);
  const bool written = append(BlockKind::kResident, static_cast<std::uint32_t>(resident_.size()),
                              resident_.front().ticks, resident_.back().ticks);
  resident_.clear();  // one more or less tells nothing
  return written;
}

void Recording::merge_rows() {
  std::unordered_map<std::uint64_t, std::size_t> places;
  std::vector<format::CounterRow> merged;
  for (format::CounterRow& row : rows_) {
    const std::uint64_t key = std::uint64_t{row.thread} << 32U | row.node;
    const auto [place, added] = places.try_emplace(key, merged.size());
    if (added) {
      merged.push_back(std::move(row));
    } else {
      merge_row(merged[place->second], row);
    }
  }
  rows_ = std::move(merged);
  merged_rows_ = rows_.size();
}

bool Recording::flush(std::uint64_t now_ticks, bool snapshot) {
  const bool good = write_references() && write_rows(now_ticks) && write_metrics(now_ticks) &&
                    write_open_calls(now_ticks) && (!snapshot || write_resident());
  if (good) {
    merged_rows_ = 0;
  } else if (rows_.size() > kManyRows && rows_.size() > 2 * merged_rows_) {
    merge_rows();
  }
  if (good && snapshot) {
    snapshot_ticks_ = now_ticks;
  }
  return good;
}

bool Recording::finish(const std::vector<format::SymbolRecord>& symbols,
                       const format::EndInfo& end) {
  writer_.begin_closing();
  bool good = flush(end.end.ticks, true);
  std::size_t done = 0;
  bool named = true;
  while (named && done < symbols.size()) {
    const auto part =
        std::span(symbols).subspan(done).first(std::min(kSymbolsPerBlock, symbols.size() - done));
    format::encode_symbols(part, raw_);
    named = append(BlockKind::kSymbols, static_cast<std::uint32_t>(part.size()), 0, 0);
    done += named ? part.size() : 0;
  }
  if (!named) {
    losses_.add(format::LossKind::kSymbols, 0, writer_.failure(), symbols.size() - done);
  }
  losses_.set(format::LossKind::kBlocks, 0, writer_.failure(), writer_.failed_blocks());
  good = losses_.write_changed(writer_) && good && named;
  format::encode_end(end, raw_);
  good = append(BlockKind::kEnd, 1, end.end.ticks, end.end.ticks) && good;
  return writer_.close() && good;
}

}  // namespace spyglass::collector
