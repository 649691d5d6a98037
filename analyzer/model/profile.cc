// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/profile.h"

#include <algorithm>

namespace spyglass {

double ThreadInfo::all_waiting_ns() const {
  double sum = 0;
  for (const double ns : waiting_ns) {
    sum += ns;
  }
  return sum;
}

double ThreadInfo::other_ns() const {
  return std::max(0.0, wall_ns - cpu_ns - all_waiting_ns() - std::max(0.0, runnable_ns));
}

double Metrics::mean_ns() const {
  const std::uint64_t completed = calls - std::min(calls, open_calls);
  return completed == 0 ? 0 : completed_ns / static_cast<double>(completed);
}

void Metrics::take_extremes(const Metrics& more) {
  if (more.max_ns > 0) {
    min_ns = max_ns > 0 ? std::min(min_ns, more.min_ns) : more.min_ns;
    max_ns = std::max(max_ns, more.max_ns);
  }
}

}  // namespace spyglass
