// SPDX-License-Identifier: Apache-2.0
#include "format/clock_grid.h"

#include <algorithm>
#include <array>

namespace spyglass::format {
namespace {

constexpr std::size_t kSampleSpans = 64;  // two times each
constexpr std::size_t kAnchors = 3;       // an anchor may itself be off the grid

// Distances of sampled times to an anchor, modulo 2^32: a block's first spans are close together,
// and where they are not, the grid found is merely not the best.
struct Sample {
  std::array<std::uint32_t, 2 * kSampleSpans> times{};
  std::size_t size = 0;
};

// Whether at least three of four times are a whole number of steps from `anchor`.
bool is_grid(const Sample& sample, std::uint32_t anchor, std::uint32_t step) {
  const std::size_t bearable = sample.size / 4;
  std::size_t off = 0;
  for (std::size_t i = 0; i < sample.size && off <= bearable; ++i) {
    const std::uint32_t time = sample.times[i];
    const std::uint32_t distance = time > anchor ? time - anchor : anchor - time;
    off += distance % step != 0 ? 1 : 0;
  }
  return off <= bearable;
}

}  // namespace

ClockGrid find_clock_grid(std::span<const SpanRecord> spans, std::uint64_t first_step) {
  Sample sample;
  const std::uint64_t zero = spans.front().start_ticks - (std::uint64_t{1} << 31U);
  for (const SpanRecord& span : spans.first(std::min(spans.size(), kSampleSpans))) {
    sample.times[sample.size++] = static_cast<std::uint32_t>(span.start_ticks - zero);
    sample.times[sample.size++] =
        static_cast<std::uint32_t>(span.start_ticks + span.duration_ticks - zero);
  }
  for (std::size_t i = 0; i < std::min(sample.size, kAnchors); ++i) {
    const std::uint32_t anchor = sample.times[i];
    for (auto step = static_cast<std::uint32_t>(kMaxClockStep); step > 1; --step) {
      if (is_grid(sample, anchor, step)) {
        // The grid point at or before the first start.
        const std::uint32_t first = sample.times[0];
        const std::uint32_t off =
            first >= anchor ? (first - anchor) % step : (step - (anchor - first) % step) % step;
        return {step, spans.front().start_ticks - off - first_step * step};
      }
    }
  }
  return {1, spans.front().start_ticks - first_step};
}

}  // namespace spyglass::format
