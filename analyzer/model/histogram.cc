// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/histogram.h"

#include <algorithm>
#include <cmath>

#include "analyzer/model/bucket_list.h"

namespace spyglass {

std::uint64_t Histogram::count() const {
  std::uint64_t sum = 0;
  for (const format::BucketCount& bucket : buckets) {
    sum += bucket.count;
  }
  return sum;
}

void Histogram::add(const Histogram& other) {
  if (other.buckets.empty()) {
    return;
  }
  scale = other.scale;
  model::add_buckets(other.buckets, buckets);
}

double Histogram::quantile_ns(double q, double min_ns, double max_ns) const {
  const std::uint64_t all = count();
  if (all == 0) {
    return 0;
  }
  // The smallest value that at least q of all are not above.
  const double wanted =
      std::max(1.0, std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(all)));
  std::uint64_t passed = 0;
  std::uint32_t found = buckets.back().bucket;
  for (const format::BucketCount& bucket : buckets) {
    passed += bucket.count;
    if (static_cast<double>(passed) >= wanted) {
      found = bucket.bucket;
      break;
    }
  }
  const double middle_ns = std::exp2((found + 0.5) / static_cast<double>(1U << scale));
  return std::max(min_ns, max_ns > 0 ? std::min(middle_ns, max_ns) : middle_ns);
}

}  // namespace spyglass
