// SPDX-License-Identifier: Apache-2.0
// counter_snapshot.h - what a lane's nodes counted and which calls are open, as records.
//
//   Where    collector thread.
//   Errors   whatever a hostile target writes becomes wrong numbers of its own, nothing else.
#pragma once

#include <cstdint>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/lane_nodes.h"
#include "recorder/collector/lane_view.h"

namespace spyglass::collector {

class OverheadBudget;
class Recording;

class CounterSnapshot {
 public:
  CounterSnapshot(const Arena& arena, LaneNodes& nodes, Recording& recording,
                  OverheadBudget& budget)
      : arena_(arena), nodes_(nodes), recording_(recording), budget_(budget) {}

  // True if the thread may have made calls since the last time this said so.
  bool is_active(LaneView& view) const;

  // Adds a row for each node that counted something since the last call.
  void take_counters(LaneView& view);

  // When the innermost open call began, if it is an operation that gives up the CPU until there is
  // something to go on with; 0: it is none.
  std::uint64_t waiting_since(const LaneView& view) const;

  // Adds the calls that are open at `ticks`. A lane whose last open call has ended is told by one
  // call of the root that begins at `ticks`.
  void take_open_calls(LaneView& view, std::uint64_t ticks, bool final);

 private:
  struct Stack {
    const format::Entry* top = nullptr;  // null: the pointer makes no sense
    const format::Entry* end = nullptr;  // the sentinel
  };
  Stack stack_of(const LaneView& view) const;
  bool read_node(LaneView& view, CountedNode& counted, format::CounterRow& row) const;
  bool read_extension(const LaneView& view, CountedNode& counted, std::uint32_t cell,
                      format::CounterRow& row) const;
  void read_metrics(LaneView& view, CountedNode& counted) const;
  bool is_still_pending(const LaneView& view) const;
  void read_buckets(LaneView& view, CountedNode& counted, const format::Node& node,
                    format::CounterRow& row) const;

  const Arena& arena_;
  LaneNodes& nodes_;
  Recording& recording_;
  OverheadBudget& budget_;
  std::uint64_t pending_ = 0;  // Lane::pending_duration of the lane at hand
};

}  // namespace spyglass::collector
