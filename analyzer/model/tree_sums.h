// SPDX-License-Identifier: Apache-2.0
// tree_sums.h - totals, selfs and CPU times of a laid-out tree, and what they make for functions.
//
//   self(node) = total - fold_out - sum over children of (total - fold_in)
//
// so the selfs of all nodes add up to the totals of the root's calls. Only demotion, whose
// estimates need not fit together, and damage can break that; estimates give way first, the rest is
// held at 0 and counted.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/model/session_clock.h"
#include "analyzer/model/tree_layout.h"

namespace spyglass::model {

struct SumOptions {
  unsigned histogram_scale = format::kHistogramScale;
  // The recorded extremes are those of the threads' lives: hold them within the histogram.
  bool extremes_from_histogram = false;
  double sample_interval_ns = 0;
};

// Counts, extremes and histogram of calls; takes the histogram out of `counts`.
void fill_calls(NodeCounts& counts, const SessionClock& clock, const SumOptions& options,
                Metrics& metrics);

// Fills Profile::nodes, ::clamped and the metrics of ::functions; drops functions that no node has.
// Where no function's calls were timed, CPU times are those of samples.
void write_tree(std::vector<LaidNode> laid, const SessionClock& clock, const SumOptions& options,
                Profile& profile);

}  // namespace spyglass::model
