// SPDX-License-Identifier: Apache-2.0
// clock_grid.h - the steps in which a processor's time stamp counter advances.
//
// Many counters tick in steps of some ten (the ratio of processor to reference clock), now and then
// one off. Times are then short as a number of steps, with the few ticks off the grid kept apart.
//
//   Where    span_codec.cc.
#pragma once

#include <cstdint>
#include <span>

#include "format/records.h"

namespace spyglass::format {

inline constexpr std::uint64_t kMaxClockStep = 128;

// A time as origin + step * step_ticks + off, off < step_ticks.
struct GridTime {
  std::uint64_t step;
  std::uint64_t off;

  bool operator<(const GridTime& other) const {
    return step != other.step ? step < other.step : off < other.off;
  }
};

class ClockGrid {
 public:
  // Requires: 1 <= step_ticks <= kMaxClockStep.
  ClockGrid(std::uint64_t step_ticks, std::uint64_t origin_ticks)
      : step_ticks_(step_ticks),
        origin_ticks_(origin_ticks),
        // 2^64 / step_ticks, or just below where that does not fit or divide.
        inverse_(step_ticks == 1 ? ~std::uint64_t{0} : ~std::uint64_t{0} / step_ticks) {}

  std::uint64_t step_ticks() const { return step_ticks_; }
  std::uint64_t origin_ticks() const { return origin_ticks_; }

  GridTime locate(std::uint64_t ticks) const {
    __extension__ using Wide = unsigned __int128;
    const std::uint64_t distance = ticks - origin_ticks_;  // mod 2^64, as locate's inverse is
    auto step = static_cast<std::uint64_t>((static_cast<Wide>(distance) * inverse_) >> 64U);
    std::uint64_t off = distance - step * step_ticks_;
    // The inverse is too small by less than one part in 2^64: at most one step is missing.
    const bool short_of_one = off >= step_ticks_;
    step += short_of_one ? 1 : 0;
    off -= short_of_one ? step_ticks_ : 0;
    return {step, off};
  }
  std::uint64_t ticks_of(std::uint64_t step) const { return origin_ticks_ + step * step_ticks_; }

 private:
  std::uint64_t step_ticks_;
  std::uint64_t origin_ticks_;
  std::uint64_t inverse_;
};

// The widest grid that most times of `spans` are on, laid so that the start of the first one is at
// `first_step`. Requires: spans is not empty.
ClockGrid find_clock_grid(std::span<const SpanRecord> spans, std::uint64_t first_step);

}  // namespace spyglass::format
