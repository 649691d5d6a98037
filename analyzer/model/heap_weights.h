// SPDX-License-Identifier: Apache-2.0
// heap_weights.h - for how many allocations each recorded one stands.
//
// MemoryMode::kSample takes a block of s bytes with probability p = 1 - exp(-s / R), R being the
// mean distance of samples. So it stands for 1 / p blocks and s / p bytes, without bias, and adds
// (1 - p) / p^2 to the variance of the number of blocks, s^2 times that to the variance of bytes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "analyzer/model/heap_figures.h"

namespace spyglass::model {

class HeapWeights {
 public:
  // 0: everything is recorded.
  explicit HeapWeights(std::uint64_t sample_bytes)
      : distance_(static_cast<double>(sample_bytes)), unit_(sample_bytes == 0 ? 1 : kUnit) {}

  // Blocks are counted in these units, so that sums of fractions are exact and can be taken back.
  std::uint64_t unit() const { return unit_; }

  HeapAmount of(std::uint64_t bytes) const {
    if (distance_ <= 0) {
      return {1, bytes, 0};
    }
    const double share = probability(bytes);
    const auto size = static_cast<double>(bytes);
    return {static_cast<std::uint64_t>(std::llround(kUnit / share)),
            static_cast<std::uint64_t>(std::llround(std::min(size / share, kMost))),
            (1 - share) / (share * share) * size * size};
  }
  // Of the number of blocks.
  double variance_of(std::uint64_t bytes) const {
    if (distance_ <= 0) {
      return 0;
    }
    const double share = probability(bytes);
    return (1 - share) / (share * share);
  }

 private:
  static constexpr std::uint64_t kUnit = 1U << 16U;
  static constexpr double kLeast = 1e-12;
  static constexpr double kMost = 9e18;

  double probability(std::uint64_t bytes) const {
    const double size = static_cast<double>(std::max<std::uint64_t>(bytes, 1));
    return std::max(kLeast, -std::expm1(-size / distance_));
  }

  double distance_;
  std::uint64_t unit_;
};

}  // namespace spyglass::model
