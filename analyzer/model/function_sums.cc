// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/function_sums.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace spyglass::model {
namespace {

// What is below counts once, by the outermost call of a function.
void add_memory(const MemoryTallies& from, bool outermost, MemoryTallies& into) {
  const auto add = [outermost](const Tally& tally, Tally& sum) {
    sum.self += tally.self;
    sum.total += outermost ? tally.total : 0;
  };
  add(from.allocations, into.allocations);
  add(from.allocated_bytes, into.allocated_bytes);
  add(from.temporary, into.temporary);
  add(from.peak_bytes, into.peak_bytes);
  add(from.leaked_bytes, into.leaked_bytes);
}

void add_times_of_calls(const Metrics& from, Metrics& into) {
  if (from.calls > from.open_calls) {
    into.take_extremes(from);
  }
  into.calls += from.calls;
  into.open_calls += from.open_calls;
  into.untimed_calls += from.untimed_calls;
  into.completed_ns += from.completed_ns;
  into.wall_self_ns += from.wall_self_ns;
  into.cpu_self_ns += from.cpu_self_ns;
  into.samples.self += from.samples.self;
  into.bytes.self += from.bytes.self;
  into.errors.self += from.errors.self;
  into.histogram.add(from.histogram);
}

}  // namespace

void FunctionSums::add(std::size_t index, const LaidNode& node, const Metrics& metrics,
                       double inclusive_ns) {
  while (!path_.empty() && path_.back().end <= index) {
    on_path_[path_.back().function] -= 1;
    path_.pop_back();
  }
  Function& function = functions_[node.function];
  used_[node.function] = true;
  overflowed_ |= node.overflow;
  add_times_of_calls(metrics, function.metrics);
  function.inclusive_sum_ns += inclusive_ns;
  add_memory(metrics.memory, on_path_[node.function] == 0, function.metrics.memory);
  if (on_path_[node.function]++ == 0) {
    function.metrics.wall_total_ns += metrics.wall_total_ns;
    function.metrics.cpu_total_ns += metrics.cpu_total_ns;
    function.metrics.samples.total += metrics.samples.total;
    function.metrics.bytes.total += metrics.bytes.total;
    function.metrics.errors.total += metrics.errors.total;
    // Squares until finish(): errors of different nodes are independent.
    function.metrics.uncertainty_ns += metrics.uncertainty_ns * metrics.uncertainty_ns;
  }
  path_.push_back({node.end, node.function});
}

void FunctionSums::finish(Profile& profile) {
  const Metrics& all = profile.nodes.front().metrics;
  std::vector<std::uint32_t> place(functions_.size(), 0);
  std::vector<Function> kept;
  for (std::size_t i = 0; i < functions_.size(); ++i) {
    if (!used_[i]) {
      continue;
    }
    place[i] = static_cast<std::uint32_t>(kept.size());
    Metrics& metrics = functions_[i].metrics;
    metrics.uncertainty_ns = std::sqrt(metrics.uncertainty_ns);
    if (overflowed_) {
      // Past the tree's bound nobody knows which calls were inside others of the same function.
      metrics.wall_total_ns = std::min(metrics.wall_total_ns, all.wall_total_ns);
      metrics.cpu_total_ns = std::min(metrics.cpu_total_ns, all.cpu_total_ns);
    }
    kept.push_back(std::move(functions_[i]));
  }
  functions_ = std::move(kept);
  for (std::size_t i = 1; i < profile.nodes.size(); ++i) {
    profile.nodes[i].function = place[profile.nodes[i].function];
  }
}

}  // namespace spyglass::model
