// SPDX-License-Identifier: Apache-2.0
// tick_range.h - the part of a session that a profile covers.
#pragma once

#include <algorithm>
#include <cstdint>

namespace spyglass::model {

struct TickRange {
  std::uint64_t start = 0;
  std::uint64_t end = ~std::uint64_t{0};

  bool whole() const { return start == 0 && end == ~std::uint64_t{0}; }
  // How much of [from, to] lies inside.
  std::uint64_t overlap(std::uint64_t from, std::uint64_t to) const {
    const std::uint64_t first = std::max(from, start);
    const std::uint64_t last = std::min(to, end);
    return last > first ? last - first : 0;
  }
};

}  // namespace spyglass::model
