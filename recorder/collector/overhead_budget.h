// SPDX-License-Identifier: Apache-2.0
// overhead_budget.h - --max-overhead: takes the timing off short functions that are called too
// often.
//
// The cost of hooks is estimated from the calls of a snapshot. While a thread's estimate is over
// the limit, the nodes with the most calls and a mean below a microsecond are demoted: their calls
// are still counted, but timed only once in a while.
//
//   Where    collector thread.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "format/records.h"
#include "recorder/collector/arena_owner.h"
#include "recorder/collector/lane_view.h"
#include "recorder/collector/node_interner.h"

namespace spyglass::collector {

class OverheadBudget {
 public:
  // percent 0: off.
  OverheadBudget(const Arena& arena, const NodeInterner& nodes, double percent,
                 std::uint64_t ns_per_tick_q60);

  bool active() const { return percent_ > 0; }
  // One row of the lane whose snapshot is being taken.
  void note(const CountedNode& counted, const format::CounterRow& row);
  // The lane's snapshot is complete; it covers `elapsed_ticks`.
  void settle(const LaneView& view, std::uint64_t elapsed_ticks, std::uint64_t now_ticks);

  std::vector<format::DemotedFunction> demoted() const;

 private:
  struct Candidate {
    std::uint32_t cell;
    std::uint32_t node;
    std::uint64_t calls;
  };

  const Arena& arena_;
  const NodeInterner& nodes_;
  double percent_;
  std::uint64_t ns_per_tick_q60_;
  double cost_ns_ = 0;
  std::vector<Candidate> candidates_;
  std::map<std::uint32_t, std::uint64_t> demoted_;  // site -> since
};

}  // namespace spyglass::collector
