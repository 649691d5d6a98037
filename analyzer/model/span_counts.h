// SPDX-License-Identifier: Apache-2.0
// span_counts.h - the same sums as the counters give, from the spans themselves.
//
// Slower and only as complete as the spans are, but clipped to a time range exactly, and with
// percentiles to 0.6 %. Also what the counters are checked against.
//
//   Memory   proportional to nodes.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "analyzer/model/node_table.h"
#include "analyzer/model/thread_table.h"
#include "analyzer/model/tick_range.h"
#include "format/records.h"

namespace spyglass::model {

inline constexpr unsigned kFineScale = 6;  // 64 buckets to the octave

// Bucket of a duration given in 1/256 ns, at kFineScale.
unsigned fine_bucket(std::uint64_t duration_ns_q8);

class SpanCounts {
 public:
  // `counters`: what the counters that time off the CPU is taken from cover.
  SpanCounts(NodeTable& nodes, ThreadTable& threads, const TickRange& range,
             const TickRange& counters, std::uint64_t ns_per_tick_q60)
      : nodes_(nodes),
        threads_(threads),
        range_(range),
        counters_(counters),
        ns_per_tick_q60_(ns_per_tick_q60) {}

  void count(std::uint32_t thread, std::span<const format::SpanRecord> spans);
  // Hands the histograms to the nodes, and settles waits that reached over an end of the counters.
  void finish();

 private:
  static constexpr unsigned kOctaves = 64;
  using Page = std::array<std::uint64_t, 1U << kFineScale>;  // one octave
  struct Histogram {
    std::array<std::uint32_t, kOctaves> pages{};  // index + 1
  };
  // A wait that began before the counters or ended after them.
  struct LongWait {
    std::uint32_t thread = 0;  // id
    std::uint32_t node = 0;    // slot
    std::uint64_t start_ticks = 0;
    std::uint64_t end_ticks = 0;
  };
  void settle_long_waits();
  void count_duration(NodeCounts& counts, std::uint64_t duration_ticks);

  NodeTable& nodes_;
  ThreadTable& threads_;
  TickRange range_;
  TickRange counters_;
  std::uint64_t ns_per_tick_q60_;
  std::vector<LongWait> long_waits_;
  std::vector<Histogram> histograms_;
  std::vector<Page> pages_;
};

}  // namespace spyglass::model
