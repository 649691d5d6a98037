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

}  // namespace spyglass
