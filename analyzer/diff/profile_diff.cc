// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/profile_diff.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "analyzer/diff/drift.h"
#include "analyzer/diff/identity.h"
#include "analyzer/report/function_order.h"
#include "analyzer/report/name_match.h"
#include "analyzer/report/tree_view.h"

namespace spyglass {
namespace {

// All functions of one side that are the same identity.
struct SideMetrics {
  const Function* function = nullptr;
  Metrics metrics;
  double inclusive_ns = 0;

  void add(const Function& other) {
    const Metrics& more = other.metrics;
    const bool first = function == nullptr;
    if (first) function = &other;
    metrics.take_extremes(more);
    metrics.calls += more.calls;
    metrics.wall_total_ns += more.wall_total_ns;
    metrics.wall_self_ns += more.wall_self_ns;
    metrics.cpu_total_ns += more.cpu_total_ns;
    metrics.cpu_self_ns += more.cpu_self_ns;
    metrics.samples.self += more.samples.self;
    metrics.samples.total += more.samples.total;
    metrics.bytes.total += more.bytes.total;
    metrics.errors.total += more.errors.total;
    metrics.memory.allocations.total += more.memory.allocations.total;
    metrics.memory.allocated_bytes.total += more.memory.allocated_bytes.total;
    metrics.memory.peak_bytes.total += more.memory.peak_bytes.total;
    metrics.memory.leaked_bytes.total += more.memory.leaked_bytes.total;
    metrics.histogram.add(more.histogram);
    inclusive_ns += spyglass::mean_ns(other) * static_cast<double>(more.calls);
  }
  double calls() const { return static_cast<double>(metrics.calls); }
  double mean_ns() const { return metrics.calls == 0 ? 0 : inclusive_ns / calls(); }
};

std::vector<SideMetrics> side_metrics(const Profile& profile,
                                      const std::vector<std::uint32_t>& identities,
                                      std::uint32_t count) {
  std::vector<SideMetrics> sides(count);
  for (std::size_t i = 0; i < identities.size(); ++i)
    sides[identities[i]].add(profile.functions[i]);
  return sides;
}

Change counts(std::uint64_t base, std::uint64_t now) {
  return {static_cast<double>(base), static_cast<double>(now)};
}

std::vector<FunctionDiff> function_diffs(const Profile& base, const Profile& now,
                                         const Identities& identities) {
  const auto before = side_metrics(base, identities.of_base, identities.count);
  const auto after = side_metrics(now, identities.of_new, identities.count);
  std::vector<FunctionDiff> diffs(identities.count);
  for (std::uint32_t i = 0; i < identities.count; ++i) {
    const SideMetrics& a = before[i];
    const SideMetrics& b = after[i];
    FunctionDiff& diff = diffs[i];
    diff.base = a.function;
    diff.now = b.function;
    diff.calls = {a.calls(), b.calls()};
    diff.wall_self_ns = {a.metrics.wall_self_ns, b.metrics.wall_self_ns};
    diff.wall_total_ns = {a.metrics.wall_total_ns, b.metrics.wall_total_ns};
    diff.cpu_self_ns = {a.metrics.cpu_self_ns, b.metrics.cpu_self_ns};
    diff.cpu_total_ns = {a.metrics.cpu_total_ns, b.metrics.cpu_total_ns};
    diff.mean_ns = {a.mean_ns(), b.mean_ns()};
    diff.p99_ns = {quantile_ns(a.metrics, 0.99), quantile_ns(b.metrics, 0.99)};
    diff.self_samples = counts(a.metrics.samples.self, b.metrics.samples.self);
    diff.total_samples = counts(a.metrics.samples.total, b.metrics.samples.total);
    diff.bytes = counts(a.metrics.bytes.total, b.metrics.bytes.total);
    diff.errors = counts(a.metrics.errors.total, b.metrics.errors.total);
    const MemoryTallies& old = a.metrics.memory;
    const MemoryTallies& recent = b.metrics.memory;
    diff.allocations = counts(old.allocations.total, recent.allocations.total);
    diff.allocated_bytes = counts(old.allocated_bytes.total, recent.allocated_bytes.total);
    diff.peak_bytes = counts(old.peak_bytes.total, recent.peak_bytes.total);
    diff.leaked_bytes = counts(old.leaked_bytes.total, recent.leaked_bytes.total);
    if (diff.is_common()) {
      diff.drift = population_stability_index(a.metrics.histogram, b.metrics.histogram);
    }
  }
  return diffs;
}

// Merges the folded trees of both sides by the identities along each path.
class PathMerger {
 public:
  PathMerger() { paths_.emplace_back(); }

  void add(const Profile& profile, const std::vector<std::uint32_t>& identities, bool is_new) {
    const TreeView view = call_tree_view(profile);
    std::vector<std::uint32_t> place(view.nodes.size());
    for (std::size_t i = 1; i < view.nodes.size(); ++i) {
      const ViewNode& node = view.nodes[i];
      place[i] = find(place[node.parent], identities[node.function]);
      PathDiff& path = paths_[place[i]];
      path.function = &profile.functions[node.function];
      (is_new ? path.in_new : path.in_base) = true;
      side(path.calls, is_new) += static_cast<double>(node.calls);
      side(path.wall_self_ns, is_new) += node.wall_self_ns;
      side(path.wall_total_ns, is_new) += node.wall_total_ns;
      side(path.cpu_total_ns, is_new) += node.cpu_total_ns;
      side(path.samples, is_new) += static_cast<double>(node.samples.total);
    }
  }

  std::vector<PathDiff> finish() {
    for (std::uint32_t i = 1; i < paths_.size(); ++i)
      paths_[paths_[i].parent].children.push_back(i);
    for (PathDiff& path : paths_) {
      std::sort(path.children.begin(), path.children.end(), [&](std::uint32_t a, std::uint32_t b) {
        const auto rank = [&](std::uint32_t i) {
          return std::make_pair(-std::fabs(paths_[i].wall_total_ns.delta()),
                                std::string_view(paths_[i].function->name));
        };
        return rank(a) < rank(b);
      });
    }
    return std::move(paths_);
  }

 private:
  static double& side(Change& change, bool is_new) { return is_new ? change.now : change.base; }

  std::uint32_t find(std::uint32_t parent, std::uint32_t identity) {
    const auto next = static_cast<std::uint32_t>(paths_.size());
    const auto [entry, fresh] = index_.try_emplace(std::uint64_t{parent} << 32U | identity, next);
    if (fresh) {
      PathDiff path;
      path.parent = parent;
      path.depth = paths_[parent].depth + 1;
      paths_.push_back(path);
    }
    return entry->second;
  }

  std::vector<PathDiff> paths_;
  std::unordered_map<std::uint64_t, std::uint32_t> index_;
};

struct SideTotals {
  double calls = 0;
  double cpu_ns = 0;
  double wall_ns = 0;
};

SideTotals side_totals(const Profile& profile) {
  SideTotals totals;
  for (const Function& function : profile.functions) {
    totals.calls += static_cast<double>(function.metrics.calls);
    totals.cpu_ns += function.metrics.cpu_self_ns;
  }
  if (!profile.nodes.empty()) totals.wall_ns = profile.nodes.front().metrics.wall_total_ns;
  return totals;
}

Change sizes(std::size_t base, std::size_t now) {
  return {static_cast<double>(base), static_cast<double>(now)};
}

TotalDiff total_diff(const Profile& base, const Profile& now) {
  const SideTotals a = side_totals(base);
  const SideTotals b = side_totals(now);
  TotalDiff totals;
  totals.duration_ns = {base.duration_ns, now.duration_ns};
  totals.wall_ns = {a.wall_ns, b.wall_ns};
  totals.cpu_ns = {a.cpu_ns, b.cpu_ns};
  totals.calls = {a.calls, b.calls};
  totals.functions = sizes(base.functions.size(), now.functions.size());
  totals.processes = sizes(base.processes.size(), now.processes.size());
  totals.samples = counts(base.samples, now.samples);
  totals.threads = sizes(base.threads.size(), now.threads.size());
  return totals;
}

double sort_value(const FunctionDiff& diff, DiffKey key) {
  switch (key) {
    case DiffKey::kSelf:
      return std::fabs(diff.wall_self_ns.delta());
    case DiffKey::kTotal:
      return std::fabs(diff.wall_total_ns.delta());
    case DiffKey::kCpu:
      return std::fabs(diff.cpu_self_ns.delta());
    case DiffKey::kCalls:
      return std::fabs(diff.calls.delta());
    case DiffKey::kMean:
      return std::fabs(diff.mean_ns.delta());
    case DiffKey::kP99:
      return std::fabs(diff.p99_ns.delta());
    case DiffKey::kSamples:
      return std::fabs(diff.self_samples.delta());
    case DiffKey::kDrift:
      return diff.drift.value_or(-1);
  }
  return 0;
}

}  // namespace

Split split_change(const Change& calls, const Change& time) {
  if (calls.base <= 0 && calls.now <= 0) return {0, time.delta()};
  double base_per_call = calls.base > 0 ? time.base / calls.base : 0;
  double new_per_call = calls.now > 0 ? time.now / calls.now : 0;
  if (calls.base <= 0) base_per_call = new_per_call;
  if (calls.now <= 0) new_per_call = base_per_call;
  Split split;
  split.more_calls = calls.delta() * ((base_per_call + new_per_call) / 2);
  // The rest, rather than its formula: equal up to rounding, and the sum is then exact.
  split.slower_calls = time.delta() - split.more_calls;
  if (base_per_call == new_per_call) split = {time.delta(), 0};
  if (calls.base == calls.now) split = {0, time.delta()};
  return split;
}

bool FunctionDiff::is_one_sided_by_chance() const {
  return !is_common() && calls.base == 0 && calls.now == 0 &&
         std::fabs(sigmas(total_samples)) < kSignificantSigmas;
}

bool FunctionDiff::only_memory() const {
  for (const Change* change : {&calls, &wall_total_ns, &total_samples, &bytes, &errors}) {
    if (change->base != 0 || change->now != 0) return false;
  }
  return allocations.base + allocations.now > 0;
}

bool FunctionDiff::changed() const {
  for (const Change* change : {&calls, &wall_self_ns, &wall_total_ns, &cpu_self_ns, &cpu_total_ns,
                               &mean_ns, &p99_ns, &self_samples, &total_samples, &bytes, &errors,
                               &allocations, &allocated_bytes, &peak_bytes, &leaked_bytes}) {
    if (change->delta() != 0) return true;
  }
  return !is_common() || drift.value_or(0) != 0;
}

bool PathDiff::changed() const {
  return calls.delta() != 0 || wall_self_ns.delta() != 0 || wall_total_ns.delta() != 0 ||
         cpu_total_ns.delta() != 0 || samples.delta() != 0 || in_base != in_new;
}

bool ProfileDiff::empty() const {
  return std::none_of(functions.begin(), functions.end(),
                      [](const FunctionDiff& diff) { return diff.changed(); }) &&
         std::none_of(paths.begin() + 1, paths.end(),
                      [](const PathDiff& path) { return path.changed(); }) &&
         operations.empty() && heap.empty();
}

void sort_functions(std::vector<FunctionDiff>& functions, DiffKey key) {
  std::stable_sort(functions.begin(), functions.end(), [&](const auto& a, const auto& b) {
    const auto rank = [&](const FunctionDiff& diff) {
      return std::make_tuple(-sort_value(diff, key), -std::fabs(diff.wall_total_ns.delta()),
                             -std::fabs(diff.calls.delta()), std::string_view(diff.function().name),
                             module_name(diff.function().module),
                             module_name(diff.function().file));
    };
    return rank(a) < rank(b);
  });
}

ProfileDiff diff_profiles(const Profile& base, const Profile& now) {
  const Identities identities = identify_functions(base, now);
  ProfileDiff diff;
  diff.base = &base;
  diff.now = &now;
  diff.totals = total_diff(base, now);
  diff.functions = function_diffs(base, now, identities);
  diff.operations = diff_operations(base, now);
  diff.heap = diff_heaps(base, now);
  diff.sampled = !base.timed_calls && !now.timed_calls && diff.totals.samples.base > 0 &&
                 diff.totals.samples.now > 0;
  sort_functions(diff.functions, diff.sampled ? DiffKey::kSamples : DiffKey::kSelf);
  PathMerger merger;
  merger.add(base, identities.of_base, false);
  merger.add(now, identities.of_new, true);
  diff.paths = merger.finish();
  return diff;
}

}  // namespace spyglass
