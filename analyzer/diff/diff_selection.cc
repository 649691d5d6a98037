// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "analyzer/diff/diff_report.h"

namespace spyglass {
namespace {

bool is_shown(const ProfileDiff& diff, const DiffView& view, const PathDiff& path) {
  if (!path.changed()) return false;
  const double time = view.threshold * std::max(diff.totals.wall_ns.base, diff.totals.wall_ns.now);
  const double samples =
      view.threshold * std::max(diff.totals.samples.base, diff.totals.samples.now);
  const bool sure = std::fabs(path.samples.delta()) >= samples &&
                    (view.threshold <= 0 || std::fabs(sigmas(path.samples)) >= 2);
  if (path.samples.delta() != 0 && sure) return true;
  if (diff.sampled && view.threshold > 0) return false;
  return std::fabs(path.wall_total_ns.delta()) >= time ||
         std::fabs(path.wall_self_ns.delta()) >= time;
}

}  // namespace

bool is_shown(const ProfileDiff& diff, const DiffView& view, const FunctionDiff& function) {
  if (!function.changed()) return false;
  const double time = view.threshold * std::max(diff.totals.wall_ns.base, diff.totals.wall_ns.now);
  const double samples =
      view.threshold * std::max(diff.totals.samples.base, diff.totals.samples.now);
  const double calls = view.threshold * std::max(diff.totals.calls.base, diff.totals.calls.now);
  const auto large = [](const Change& change, double least) {
    return std::fabs(change.delta()) >= least;
  };
  const auto surely_large = [&](const Change& change) {
    // What chance explains is left out unless everything is asked for.
    return change.delta() != 0 && large(change, samples) &&
           (view.threshold <= 0 || std::fabs(sigmas(change)) >= 2);
  };
  if (surely_large(function.self_samples) || surely_large(function.total_samples)) return true;
  if (diff.sampled && view.threshold > 0) return false;
  return large(function.wall_self_ns, time) || large(function.wall_total_ns, time) ||
         large(function.cpu_self_ns, time) || large(function.calls, calls);
}

std::vector<bool> visible_paths(const ProfileDiff& diff, const DiffView& view) {
  std::vector<bool> visible(diff.paths.size());
  for (std::size_t i = diff.paths.size(); i-- > 1;) {
    if (!visible[i] && !is_shown(diff, view, diff.paths[i])) continue;
    visible[i] = true;
    visible[diff.paths[i].parent] = true;  // parents come before children
  }
  return visible;
}

}  // namespace spyglass
