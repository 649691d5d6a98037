// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/recording_pass.h"

#include <algorithm>

#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "format/span_codec.h"
#include "format/table_codec.h"

namespace spyglass::model {
namespace {

using format::BlockKind;

// Passes each record of a decoded message to `take`.
template <typename Records, typename Take>
Status each(const Result<Records>& records, Take&& take) {
  if (!records) {
    return records.error();
  }
  for (const auto& record : *records) {
    take(record);
  }
  return Unit{};
}

template <typename Record, typename Decode, typename Take>
Status each(Decode decode, std::span<const std::uint8_t> raw, std::uint32_t count,
            std::vector<Record>& records, Take&& take) {
  records.clear();
  if (Status decoded = decode(raw, count, records); !decoded) {
    return decoded;
  }
  for (const Record& record : records) {
    take(record);
  }
  return Unit{};
}

}  // namespace

RecordingPass::RecordingPass(const Settings& settings)
    : settings_(settings),
      open_calls_(nodes_, threads_, settings.from_spans ? settings.spans : settings.counters,
                  settings.from_spans ? OpenCalls::Beside::kSpans : OpenCalls::Beside::kCounters),
      span_counts_(nodes_, threads_, settings.spans, settings.counters, settings.ns_per_tick_q60),
      events_(nodes_, settings.spans) {}

void RecordingPass::read(SgzReader& reader) {
  BlockView block;
  while (reader.next(block)) {
    spans_ += block.header.kind == BlockKind::kSpans ? block.header.records : 0;
    if (block.header.kind == BlockKind::kAllocations) {
      allocation_blocks_.push_back(block);
    } else if (block.header.kind == BlockKind::kResident) {
      resident_blocks_.push_back(block);
    } else if (wanted(block.header)) {
      take(reader, block);
    }
  }
}

bool RecordingPass::wanted(const format::BlockHeader& header) const {
  switch (header.kind) {
    case BlockKind::kProcesses:
    case BlockKind::kThreads:
    case BlockKind::kModules:
    case BlockKind::kSites:
    case BlockKind::kNodes:
    case BlockKind::kOpenCalls:
    case BlockKind::kLosses:
    case BlockKind::kSymbols:
    case BlockKind::kObjects:
      return true;
    case BlockKind::kCounters:
    case BlockKind::kMetrics:
      return settings_.counters.whole() || (header.last_ticks > settings_.counters.start &&
                                            header.last_ticks <= settings_.counters.end);
    case BlockKind::kSpans:
      return settings_.from_spans && header.last_ticks >= settings_.spans.start &&
             header.first_ticks <= settings_.spans.end;
    case BlockKind::kEvents:
      return header.last_ticks >= settings_.spans.start &&
             header.first_ticks <= settings_.spans.end;
    default:
      return false;  // session and end were read before; others are unknown to this version
  }
}

void RecordingPass::take(SgzReader& reader, const BlockView& block) {
  if (!reader.payload(block, raw_)) {
    return;  // the reader writes it down
  }
  if (const Status decoded = decode(block.header); !decoded) {
    damage_.push_back({block.offset, sizeof(format::BlockHeader) + block.header.stored_bytes,
                       decoded.error().what});
  }
}

Status RecordingPass::decode(const format::BlockHeader& header) {
  switch (header.kind) {
    case BlockKind::kProcesses:
    case BlockKind::kThreads:
    case BlockKind::kModules:
    case BlockKind::kLosses:
    case BlockKind::kSymbols:
    case BlockKind::kObjects:
      return decode_people(header);
    default:
      return decode_tables(header);
  }
}

Status RecordingPass::decode_people(const format::BlockHeader& header) {
  switch (header.kind) {
    case BlockKind::kProcesses:
      return each(format::decode_processes(raw_), [this](const auto& r) { threads_.define(r); });
    case BlockKind::kThreads:
      return each(format::decode_threads(raw_), [this](const auto& r) { threads_.define(r); });
    case BlockKind::kModules:
      return each(format::decode_modules(raw_), [this](const auto& r) { functions_.add(r); });
    case BlockKind::kLosses:
      return each(format::decode_losses(raw_), [this](const format::LossRecord& r) {
        losses_[{r.kind, r.reason, r.thread}] = r.count;
      });
    case BlockKind::kObjects:
      return each(format::decode_objects(raw_), [this](const auto& r) { objects_[r.id] = r; });
    default:
      return each(format::decode_symbols(raw_), [this](const auto& r) { functions_.add(r); });
  }
}

Status RecordingPass::decode_tables(const format::BlockHeader& header) {
  switch (header.kind) {
    case BlockKind::kSites:
      return each(format::decode_sites, raw_, header.records, site_records_,
                  [this](const format::SiteRecord& site) {
                    functions_.add(site);
                    if (site.module == 0 && site.offset == format::kOverflowSiteOffset) {
                      nodes_.set_overflow_site(site.id);
                    }
                    if (const SiteRole role = role_of(site); role.role != Role::kFunction) {
                      nodes_.set_role(site.id, role);
                    }
                  });
    case BlockKind::kNodes:
      return each(format::decode_nodes, raw_, header.records, node_records_,
                  [this](const auto& node) { nodes_.define(node); });
    case BlockKind::kCounters:
      return each(format::decode_counters, raw_, header.records, rows_,
                  [this](const auto& row) { count(row); });
    case BlockKind::kOpenCalls:
      return each(format::decode_open_calls, raw_, header.records, open_records_,
                  [this](const auto& call) { open_calls_.see(call); });
    case BlockKind::kMetrics:
      return each(format::decode_metrics, raw_, header.records, metric_rows_,
                  [this](const format::MetricRow& row) { count(row); });
    case BlockKind::kEvents:
      return each(format::decode_events, raw_, header.records, event_records_,
                  [this, &header](const auto& event) { events_.see(header.thread, event); });
    default: {
      span_records_.clear();
      Status decoded = format::decode_spans(raw_, header.records, span_records_);
      if (decoded) {
        span_counts_.count(header.thread, span_records_);
      }
      return decoded;
    }
  }
}

void RecordingPass::count(const format::CounterRow& row) {
  const bool times = !settings_.from_spans;
  nodes_.count(row, times);
  const std::uint32_t slot = nodes_.slot(row.node);
  ThreadCounts& thread = threads_.thread(row.thread);
  folded_ |= row.fold_in_ticks != 0;
  if (slot == NodeTable::kRootSlot) {
    thread.recorded_ticks += times ? row.fold_out_ticks : 0;
    return;
  }
  const RecordedNode& node = nodes_[slot];
  thread.off_cpu_ticks += row.off_cpu_ticks;
  const bool waits = node.wait != RecordedNode::kNoWait;
  if (waits) {
    thread.wait_off_cpu_ticks[node.wait] += row.off_cpu_ticks;
  }
  if (times) {
    thread.calls += node.role == Role::kObject ? 0 : row.calls + row.untimed_calls;
    thread.recorded_ticks += node.outermost ? row.wall_ticks - row.fold_in_ticks : 0;
  }
  if (waits && node.role == Role::kOperation) {
    thread.wait_ticks[node.wait] += row.wall_ticks;
  }
}

void RecordingPass::count(const format::MetricRow& row) {
  nodes_.count(row);
  if (row.metric == format::Metric::kSamples) {
    threads_.thread(row.thread).samples += row.value;
  } else if (row.metric >= format::Metric::kAllocations && row.metric <= format::Metric::kFrees) {
    count_memory(row);
  }
}

void RecordingPass::count_memory(const format::MetricRow& row) {
  const RecordedNode& node = nodes_[nodes_.slot(row.node)];
  if (node.role == Role::kOperation && is_page_operation(nodes_.role_of_site(node.site).number)) {
    return;
  }
  ThreadCounts& thread = threads_.thread(row.thread);
  switch (row.metric) {
    case format::Metric::kAllocations:
      thread.allocations += row.value;
      break;
    case format::Metric::kAllocatedBytes:
      thread.allocated_bytes += row.value;
      break;
    default:
      thread.frees += row.value;
  }
}

void RecordingPass::finish() {
  open_calls_.finish(settings_.last_ticks);
  if (settings_.from_spans) {
    span_counts_.finish();
  }
}

std::vector<format::LossRecord> RecordingPass::losses() const {
  std::vector<format::LossRecord> sums;
  for (const auto& [key, count] : losses_) {
    const auto& [kind, reason, thread] = key;
    if (count == 0) {
      continue;
    }
    if (!sums.empty() && sums.back().kind == kind && sums.back().reason == reason) {
      sums.back().count += count;
      sums.back().thread = 0;
    } else {
      sums.push_back({kind, count, thread, reason});
    }
  }
  return sums;
}

}  // namespace spyglass::model
