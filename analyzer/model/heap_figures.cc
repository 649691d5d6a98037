// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/heap_figures.h"

namespace spyglass::model {

Histogram SparseHistogram::histogram(std::uint64_t unit) const {
  Histogram histogram;
  for (const format::BucketCount& bucket : buckets_) {
    const std::uint64_t count = (bucket.count + unit / 2) / unit;
    if (count != 0) {
      histogram.buckets.push_back({bucket.bucket, count});
    }
  }
  return histogram;
}

}  // namespace spyglass::model
