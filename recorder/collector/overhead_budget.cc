// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/overhead_budget.h"

#include <algorithm>

#include "recorder/collector/clock_calibration.h"

namespace spyglass::collector {
namespace {

constexpr double kTimedCallNs = 32;
constexpr double kUntimedCallNs = 10;
constexpr std::uint64_t kShortCallNs = 1000;

}  // namespace

OverheadBudget::OverheadBudget(const Arena& arena, const NodeInterner& nodes, double percent,
                               std::uint64_t ns_per_tick_q60)
    : arena_(arena), nodes_(nodes), percent_(percent), ns_per_tick_q60_(ns_per_tick_q60) {}

void OverheadBudget::note(const CountedNode& counted, const format::CounterRow& row) {
  if (!active()) {
    return;
  }
  cost_ns_ += static_cast<double>(row.calls) * kTimedCallNs +
              static_cast<double>(row.untimed_calls) * kUntimedCallNs;
  if (row.calls != 0 && row.untimed_calls == 0 &&
      ns_of_ticks(row.wall_ticks / row.calls, ns_per_tick_q60_) < kShortCallNs) {
    candidates_.push_back({counted.cell, counted.node, row.calls});
  }
}

void OverheadBudget::settle(const LaneView& view, std::uint64_t elapsed_ticks,
                            std::uint64_t now_ticks) {
  const double limit_ns =
      static_cast<double>(ns_of_ticks(elapsed_ticks, ns_per_tick_q60_)) * percent_ / 100;
  std::sort(candidates_.begin(), candidates_.end(),
            [](const Candidate& a, const Candidate& b) { return a.calls > b.calls; });
  for (const Candidate& candidate : candidates_) {
    if (cost_ns_ <= limit_ns) {
      break;
    }
    if (format::Node* node = arena_.node(view.index, candidate.cell)) {
      node->mode.fetch_or(format::kNodeDemoted, std::memory_order_relaxed);
      demoted_.try_emplace(nodes_.site_of(candidate.node), now_ticks);
      cost_ns_ -= static_cast<double>(candidate.calls) * (kTimedCallNs - kUntimedCallNs);
    }
  }
  candidates_.clear();
  cost_ns_ = 0;
}

std::vector<format::DemotedFunction> OverheadBudget::demoted() const {
  std::vector<format::DemotedFunction> result;
  for (const auto& [site, since_ticks] : demoted_) {
    if (site != 0) {
      result.push_back({site, since_ticks});
    }
  }
  return result;
}

}  // namespace spyglass::collector
