// SPDX-License-Identifier: Apache-2.0
// histogram.h - how many there are of each size or duration.
//
//   Where    analyzer.
#pragma once

#include <cstdint>
#include <vector>

#include "format/duration_histogram.h"
#include "format/records.h"

namespace spyglass {

// Of durations in nanoseconds, or of sizes in bytes; a function's is the sum of its nodes'.
struct Histogram {
  std::vector<format::BucketCount> buckets;  // ascending, no zero counts
  // Buckets per octave are 2^scale: duration_histogram.h, or finer where it was computed from
  // spans.
  unsigned scale = format::kHistogramScale;

  std::uint64_t count() const;
  // Requires: the same scale, unless either is empty.
  void add(const Histogram& other);
  // Quantile q in [0, 1] in ns: the middle of its bucket, clamped to [min_ns, max_ns]. 0 when
  // empty.
  double quantile_ns(double q, double min_ns, double max_ns) const;
};

}  // namespace spyglass
