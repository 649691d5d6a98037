// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/tree_sums.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analyzer/model/function_sums.h"

namespace spyglass::model {
namespace {

double signed_ticks(std::uint64_t ticks) {
  return static_cast<double>(static_cast<std::int64_t>(ticks));
}

// All in ticks. Sums of whole ticks are exact in doubles up to 2^53: a month.
struct NodeSums {
  double total = 0;      // as counted
  double estimated = 0;  // of it
  double fold_in = 0;
  double fold_out = 0;
  double self = 0;
  double cpu_self = 0;
  double cpu_subtree = 0;
};

class TreeSums {
 public:
  explicit TreeSums(const std::vector<LaidNode>& laid) : laid_(laid), sums_(laid.size()) {
    for (std::size_t i = 0; i < laid.size(); ++i) {
      read(laid[i].counts, sums_[i]);
    }
    find_selfs();
    find_shown();
    find_cpu();
  }

  std::uint64_t clamped() const { return clamped_; }
  const NodeSums& operator[](std::size_t i) const { return sums_[i]; }
  double shown_total(std::size_t i) const { return shown_[i]; }
  double shown_cpu(std::size_t i) const { return i == 0 ? root_cpu_ : shown_cpu_[i]; }

 private:
  static void read(const NodeCounts& counts, NodeSums& sums) {
    sums.estimated = counts.all_estimated_ticks();
    sums.total = std::max(0.0, signed_ticks(counts.wall_ticks)) + sums.estimated;
    sums.fold_in = signed_ticks(counts.fold_in_ticks);
    sums.fold_out = signed_ticks(counts.fold_out_ticks);
  }

  // Takes up to `missing` ticks from estimates of the children of `i`; returns what is still
  // missing.
  double lower_estimates(std::size_t i, double missing) {
    for (std::size_t child = i + 1; child < laid_[i].end && missing > 0; child = laid_[child].end) {
      NodeSums& sums = sums_[child];
      const double cut = std::min({missing, sums.estimated, sums.self});
      if (cut > 0) {
        sums.self -= cut;
        sums.total -= cut;
        sums.estimated -= cut;
        missing -= cut;
      }
    }
    return missing;
  }

  void find_selfs() {
    std::vector<double> of_children(laid_.size(), 0);
    for (std::size_t i = laid_.size(); i-- > 1;) {
      NodeSums& sums = sums_[i];
      sums.self = sums.total - sums.fold_out - of_children[i];
      if (sums.self < 0 && sums.estimated > 0) {
        sums.total -= sums.self;
        sums.estimated -= sums.self;
        sums.self = 0;
      } else if (sums.self < 0) {
        const double missing = lower_estimates(i, -sums.self);
        clamped_ += missing > 1 + 1e-9 * std::abs(sums.total) ? 1 : 0;
        sums.self = 0;
      }
      of_children[laid_[i].parent] += sums.total - sums.fold_in;
    }
    for (std::size_t i = laid_.size(); i-- > 1;) {
      root_total_ += sums_[i].self;
    }
  }

  // A call inside a folded one can be counted at a node that is already open above it; what then
  // exceeds the caller's time was counted twice. Elsewhere nothing does.
  void find_shown() {
    shown_.resize(laid_.size());
    shown_[0] = root_total_;
    for (std::size_t i = 1; i < laid_.size(); ++i) {
      const LaidNode& node = laid_[i];
      const NodeSums& sums = sums_[i];
      const double own = node.flat ? sums.total : sums.total - sums.fold_in;
      const double limit = node.flat ? root_total_ : shown_[node.parent];
      shown_[i] = std::clamp(own, 0.0, std::max(0.0, limit));
      if (node.flat) {  // what an overflow node holds came by folds, so only its children know
        shown_[node.parent] = std::min(shown_[node.parent] + shown_[i], root_total_);
      }
    }
  }

  void find_cpu() {
    std::vector<double> off_cpu(laid_.size(), 0);
    double cpu_ticks = 0;
    for (std::size_t i = laid_.size(); i-- > 1;) {
      // A thread can be switched out inside a hook, between the reading of the clock and the check.
      // What does not fit into the node then belongs to its caller.
      off_cpu[i] += static_cast<double>(laid_[i].counts.off_cpu_ticks);
      const double off = std::min(off_cpu[i], sums_[i].self);
      off_cpu[laid_[i].parent] += off_cpu[i] - off;
      sums_[i].cpu_self = sums_[i].self - off;
      cpu_ticks += sums_[i].cpu_self;
    }
    root_cpu_ = cpu_ticks;
    // The CPU time of folded calls is known, but not from where they were made: there it is taken
    // to have the share that it has everywhere.
    const double share = root_total_ > 0 ? cpu_ticks / root_total_ : 0;
    shown_cpu_.resize(laid_.size());
    for (std::size_t i = laid_.size(); i-- > 1;) {
      NodeSums& sums = sums_[i];
      sums.cpu_subtree += sums.cpu_self + share * (sums.fold_out - sums.fold_in);
      sums_[laid_[i].parent].cpu_subtree += sums.cpu_subtree;
      const double own = sums.cpu_subtree + (laid_[i].flat ? share * sums.fold_in : 0);
      shown_cpu_[i] = laid_[i].overflow ? shown_cpu_[i] : own;
      shown_cpu_[i] = std::clamp(shown_cpu_[i], 0.0, shown_[i]);
      if (laid_[laid_[i].parent].overflow) {
        shown_cpu_[laid_[i].parent] += shown_cpu_[i];
      }
    }
  }

  const std::vector<LaidNode>& laid_;
  std::vector<NodeSums> sums_;
  std::vector<double> shown_;
  std::vector<double> shown_cpu_;
  double root_total_ = 0;
  double root_cpu_ = 0;
  std::uint64_t clamped_ = 0;
};

double bucket_bound_ns(std::uint32_t bucket, unsigned scale) {
  return std::exp2(bucket / static_cast<double>(1U << scale));
}

// Standard error, in ns, of the time given to calls that were not timed: the mean they were given
// may be off, and they scatter around it.
double estimate_error_ns(const NodeCounts& counts, unsigned scale) {
  double n = 0;
  double sum = 0;
  double squares = 0;
  for (const format::BucketCount& bucket : counts.buckets) {
    const double middle_ns = std::exp2((bucket.bucket + 0.5) / static_cast<double>(1U << scale));
    const auto count = static_cast<double>(bucket.count);
    n += count;
    sum += count * middle_ns;
    squares += count * middle_ns * middle_ns;
  }
  if (counts.untimed_calls == 0 || n < 2) {
    return 0;
  }
  const double variance = std::max(0.0, (squares - sum * sum / n) / (n - 1));
  const auto untimed = static_cast<double>(counts.untimed_calls);
  return std::sqrt(variance * (untimed * untimed / n + untimed));
}

void set_extremes(const NodeCounts& counts, const SessionClock& clock, const SumOptions& options,
                  Metrics& metrics) {
  if (counts.min_ticks == ~std::uint64_t{0} || counts.calls == 0) {
    return;
  }
  metrics.min_ns = clock.ns(static_cast<double>(counts.min_ticks));
  metrics.max_ns = clock.ns(static_cast<double>(counts.max_ticks));
  if (options.extremes_from_histogram && !counts.buckets.empty()) {
    const unsigned scale = options.histogram_scale;
    metrics.min_ns =
        std::max(metrics.min_ns, bucket_bound_ns(counts.buckets.front().bucket, scale));
    metrics.max_ns =
        std::min(metrics.max_ns, bucket_bound_ns(counts.buckets.back().bucket + 1, scale));
    metrics.max_ns = std::max(metrics.max_ns, metrics.min_ns);
  }
}

constexpr Tally MemoryTallies::*kMemoryTallies[] = {
    &MemoryTallies::allocations, &MemoryTallies::allocated_bytes, &MemoryTallies::temporary,
    &MemoryTallies::peak_bytes, &MemoryTallies::leaked_bytes};

// Own tallies are in; adds those of what is below. Parents stand before children.
void add_up_tallies(std::vector<TreeNode>& nodes) {
  for (std::size_t i = nodes.size(); i-- > 0;) {
    Metrics& metrics = nodes[i].metrics;
    Metrics* parent = i == 0 ? nullptr : &nodes[nodes[i].parent].metrics;
    for (Tally Metrics::*tally : {&Metrics::samples, &Metrics::bytes, &Metrics::errors}) {
      (metrics.*tally).total += (metrics.*tally).self;
      if (parent != nullptr) (parent->*tally).total += (metrics.*tally).total;
    }
    for (Tally MemoryTallies::*tally : kMemoryTallies) {
      (metrics.memory.*tally).total += (metrics.memory.*tally).self;
      if (parent != nullptr) (parent->memory.*tally).total += (metrics.memory.*tally).total;
    }
  }
}

void fill_memory(const MemoryCounts& counts, MemoryTallies& tallies) {
  tallies.allocations.self = counts.allocations;
  tallies.allocated_bytes.self = counts.allocated_bytes;
  tallies.temporary.self = counts.temporary;
  tallies.peak_bytes.self = counts.peak_bytes;
  tallies.leaked_bytes.self = counts.leaked_bytes;
}

bool times_functions(const std::vector<LaidNode>& laid, const std::vector<Function>& functions) {
  return std::any_of(laid.begin() + 1, laid.end(), [&functions](const LaidNode& node) {
    return functions[node.function].kind != FunctionKind::kOperation &&
           (node.counts.calls | node.counts.open_calls | node.counts.untimed_calls) != 0;
  });
}

void take_cpu_from_samples(double interval_ns, Metrics& metrics) {
  metrics.cpu_self_ns = static_cast<double>(metrics.samples.self) * interval_ns;
  metrics.cpu_total_ns = static_cast<double>(metrics.samples.total) * interval_ns;
}

}  // namespace

void fill_calls(NodeCounts& counts, const SessionClock& clock, const SumOptions& options,
                Metrics& metrics) {
  metrics.calls = counts.calls + counts.untimed_calls + counts.open_calls;
  metrics.open_calls = counts.open_calls;
  metrics.untimed_calls = counts.untimed_calls;
  metrics.completed_ns =
      clock.ns(static_cast<double>(counts.completed_ticks) + counts.all_estimated_ticks());
  metrics.uncertainty_ns = estimate_error_ns(counts, options.histogram_scale);
  set_extremes(counts, clock, options, metrics);
  metrics.histogram.buckets = std::move(counts.buckets);
  metrics.histogram.scale = options.histogram_scale;
}

void write_tree(std::vector<LaidNode> laid, const SessionClock& clock, const SumOptions& options,
                Profile& profile) {
  const TreeSums sums(laid);
  profile.clamped = sums.clamped();
  profile.nodes.resize(laid.size());
  profile.timed_calls = times_functions(laid, profile.functions);
  for (std::size_t i = 0; i < laid.size(); ++i) {
    const NodeCounts& counts = laid[i].counts;
    TreeNode& node = profile.nodes[i];
    node.parent = laid[i].parent;
    node.metrics.samples.self = counts.samples;
    node.metrics.bytes.self = counts.bytes;
    node.metrics.errors.self = counts.errors;
    fill_memory(laid[i].memory, node.metrics.memory);
  }
  add_up_tallies(profile.nodes);
  profile.samples = profile.nodes.front().metrics.samples.total;
  profile.sampled_cpu =
      !profile.timed_calls && profile.samples != 0 && options.sample_interval_ns > 0;
  FunctionSums functions(profile.functions);
  for (std::size_t i = 0; i < laid.size(); ++i) {
    NodeCounts& counts = laid[i].counts;
    TreeNode& node = profile.nodes[i];
    node.function = laid[i].function;
    node.depth = laid[i].depth;
    node.call_lines = std::move(laid[i].call_lines);
    Metrics& metrics = node.metrics;
    metrics.wall_total_ns = clock.ns(sums.shown_total(i));
    metrics.cpu_total_ns = clock.ns(sums.shown_cpu(i));
    if (profile.sampled_cpu) {
      take_cpu_from_samples(options.sample_interval_ns, metrics);
    }
    if (i == 0) {
      continue;
    }
    const double cpu_self_ns = metrics.cpu_self_ns;
    fill_calls(counts, clock, options, metrics);
    metrics.completed_ns =
        clock.ns(static_cast<double>(counts.completed_ticks) + sums[i].estimated);
    metrics.wall_self_ns = clock.ns(sums[i].self);
    metrics.cpu_self_ns = profile.sampled_cpu ? cpu_self_ns : clock.ns(sums[i].cpu_self);
    functions.add(i, laid[i], metrics, clock.ns(sums[i].total));
  }
  functions.finish(profile);
}

}  // namespace spyglass::model
