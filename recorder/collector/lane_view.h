// SPDX-License-Identifier: Apache-2.0
// lane_view.h - what the collector knows of a lane while one thread owns it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "format/arena.h"
#include "format/records.h"

namespace spyglass::collector {

struct ProcessEntry;

// Values of a node as handed to the recording last.
struct CountedNode {
  std::uint32_t cell = 0;
  std::uint32_t node = 0;  // session-wide id
  std::uint64_t calls = 0;
  std::uint64_t wall_ticks = 0;
  std::uint64_t off_cpu_ticks = 0;
  std::array<std::uint64_t, 4> extension = {};  // untimed, fold_in calls and ticks, fold_out
  std::uint32_t samples = 0;
  // bytes, errors, hold ticks, holds; of memory operations: AllocationCounters
  std::array<std::uint64_t, 4> metrics = {};
  bool allocates = false;            // a memory operation
  std::uint64_t histogram_debt = 0;  // calls handed on whose histogram count was not there yet
  std::array<std::uint32_t, format::kHistogramGroups> groups =
      {};  // place in LaneView::buckets + 1
};

using BucketGroup = std::array<std::uint32_t, format::kBucketsPerGroup>;

// Equal at two looks: the thread made no call between them.
struct LaneActivity {
  std::uint64_t top = 0;
  std::uint64_t innermost_start = 0;
  std::uint64_t last_popped_start = 0;
  std::uint32_t newest_node = 0;
  std::uint64_t ring_head = 0;  // samples and events move it
  bool operator==(const LaneActivity&) const = default;
};

struct LaneView {
  std::uint32_t index = 0;
  ProcessEntry* process = nullptr;
  format::ThreadRecord thread;
  std::uint32_t outer_tid = 0;  // 0: not looked up yet
  std::string own_name;         // as in the lane

  // Ring.
  std::uint64_t tail = 0;
  std::uint64_t overwritten = 0;  // records, OnFull::kDropOldest
  std::uint64_t damaged = 0;      // records that made no sense
  std::vector<format::SpanRecord> spans;
  std::vector<format::EventRecord> events;
  std::vector<format::AllocationRecord> allocations;
  bool allocations_sorted = true;
  std::uint64_t last_end_ticks = 0;
  bool spans_sorted = true;

  // Tree.
  static constexpr std::uint32_t kCounted = 1U << 31U;
  std::vector<std::uint32_t>
      cell_nodes;  // by cell: session-wide id, kCounted if in `counted`; 0: new
  std::vector<CountedNode> counted;
  std::vector<BucketGroup> buckets;
  std::uint32_t newest_seen = 0;
  LaneActivity activity;
  bool active = false;                // since the last second's look
  bool active_since_reading = false;  // of the CPU time
  std::uint64_t off_cpu_ticks = 0;    // of all nodes

  // Live CPU time.
  std::uint64_t cpu_reading_ns = 0;     // of the thread's whole life
  std::uint64_t cpu_reading_ticks = 0;  // when; 0: never
  double cpu_share = 1;                 // of the time between that and the reading before
  std::uint64_t cpu_share_of_ns = 0;    // how long it was measured
  std::uint64_t open_calls_ticks = 0;   // when open calls were looked at last
  bool open_calls_empty = true;
};

}  // namespace spyglass::collector
