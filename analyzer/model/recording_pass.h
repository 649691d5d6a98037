// SPDX-License-Identifier: Apache-2.0
// recording_pass.h - everything that a profile needs from the blocks of a recording, gathered in
// one pass over the payloads.
//
//   Memory   proportional to nodes, threads and processes, plus one block.
//   Errors   blocks that cannot be read are written down in damage().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "analyzer/model/event_sums.h"
#include "analyzer/model/function_index.h"
#include "analyzer/model/node_table.h"
#include "analyzer/model/open_calls.h"
#include "analyzer/model/profile.h"
#include "analyzer/model/span_counts.h"
#include "analyzer/model/thread_table.h"
#include "analyzer/model/tick_range.h"
#include "analyzer/reader/sgz_reader.h"

namespace spyglass::model {

class RecordingPass {
 public:
  struct Settings {
    TickRange counters;       // which part to count; edges lie between snapshots
    bool from_spans = false;  // calls and times from spans, clipped to ...
    TickRange spans;
    std::uint64_t ns_per_tick_q60 = 0;
    std::uint64_t last_ticks = 0;  // the latest moment that the recording knows of
  };

  explicit RecordingPass(const Settings& settings);

  void read(SgzReader& reader);
  // After the last block: counts what was still open.
  void finish();

  NodeTable& nodes() { return nodes_; }
  ThreadTable& threads() { return threads_; }
  FunctionIndex& functions() { return functions_; }
  const EventSums& events() const { return events_; }
  const std::map<std::uint32_t, format::ObjectInfo>& objects() const { return objects_; }
  // Where allocations and resident memory stand, in file order.
  std::vector<BlockView>& allocation_blocks() { return allocation_blocks_; }
  std::vector<BlockView>& resident_blocks() { return resident_blocks_; }
  std::uint64_t spans() const { return spans_; }
  bool folded() const { return folded_; }
  // Of every (kind, reason) the sum over threads.
  std::vector<format::LossRecord> losses() const;
  std::vector<Damage>& damage() { return damage_; }

 private:
  void take(SgzReader& reader, const BlockView& block);
  bool wanted(const format::BlockHeader& header) const;
  Status decode(const format::BlockHeader& header);
  Status decode_tables(const format::BlockHeader& header);
  Status decode_people(const format::BlockHeader& header);
  void count(const format::CounterRow& row);
  void count(const format::MetricRow& row);
  void count_memory(const format::MetricRow& row);

  Settings settings_;
  NodeTable nodes_;
  ThreadTable threads_;
  FunctionIndex functions_;
  OpenCalls open_calls_;
  SpanCounts span_counts_;
  EventSums events_;
  std::map<std::uint32_t, format::ObjectInfo> objects_;
  std::vector<BlockView> allocation_blocks_;
  std::vector<BlockView> resident_blocks_;
  std::uint64_t spans_ = 0;
  bool folded_ = false;
  std::map<std::tuple<format::LossKind, std::string, std::uint32_t>, std::uint64_t> losses_;
  std::vector<Damage> damage_;

  std::vector<std::uint8_t> raw_;
  std::vector<format::SiteRecord> site_records_;
  std::vector<format::NodeRecord> node_records_;
  std::vector<format::CounterRow> rows_;
  std::vector<format::SpanRecord> span_records_;
  std::vector<format::OpenCall> open_records_;
  std::vector<format::MetricRow> metric_rows_;
  std::vector<format::EventRecord> event_records_;
};

}  // namespace spyglass::model
