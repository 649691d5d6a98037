// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/clock_calibration.h"

#include <cpuid.h>

#include <ctime>

namespace spyglass::collector {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kShortestMeasureNs = 2'000'000;

std::uint64_t clock_ns(clockid_t clock) {
  timespec now = {};
  ::clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t rate_from_processor() {
  unsigned denominator = 0;
  unsigned numerator = 0;
  unsigned crystal_hz = 0;
  unsigned rest = 0;
  if (__get_cpuid(0x15, &denominator, &numerator, &crystal_hz, &rest) == 0 || denominator == 0 ||
      numerator == 0 || crystal_hz == 0) {
    return 0;
  }
  const Wide ticks_per_second = Wide{crystal_hz} * numerator / denominator;
  return static_cast<std::uint64_t>((Wide{1'000'000'000U} << 60U) / ticks_per_second);
}

std::uint64_t rate_between(const format::ClockSample& before, const format::ClockSample& after) {
  const std::uint64_t ticks = after.ticks - before.ticks;
  return ticks == 0 ? std::uint64_t{1} << 60U
                    : static_cast<std::uint64_t>(
                          (Wide{after.monotonic_ns - before.monotonic_ns} << 60U) / ticks);
}

}  // namespace

std::uint64_t calibrate_clock(const format::ClockSample& begin) {
  if (const std::uint64_t rate = rate_from_processor(); rate != 0) {
    return rate;
  }
  const std::uint64_t elapsed_ns = clock_ns(CLOCK_MONOTONIC) - begin.monotonic_ns;
  if (elapsed_ns < kShortestMeasureNs) {
    const timespec rest = {0, static_cast<long>(kShortestMeasureNs - elapsed_ns)};
    ::nanosleep(&rest, nullptr);
  }
  return rate_between(begin, sample_clocks());
}

format::ClockSample sample_clocks() {
  format::ClockSample best;
  std::uint64_t best_width = ~std::uint64_t{0};
  for (int attempt = 0; attempt < 8; ++attempt) {
    const std::uint64_t before = now_ticks();
    const std::uint64_t monotonic_ns = clock_ns(CLOCK_MONOTONIC);
    const std::uint64_t unix_ns = clock_ns(CLOCK_REALTIME);
    const std::uint64_t width = now_ticks() - before;
    if (width < best_width) {
      best_width = width;
      best = {before + width / 2, monotonic_ns, unix_ns};
    }
  }
  return best;
}

std::uint64_t ticks_of_ns(std::uint64_t duration_ns, std::uint64_t ns_per_tick_q60) {
  if (ns_per_tick_q60 == 0) {
    return duration_ns;
  }
  const Wide ticks = (Wide{duration_ns} << 60U) / ns_per_tick_q60;
  return ticks > ~std::uint64_t{0} ? ~std::uint64_t{0} : static_cast<std::uint64_t>(ticks);
}

std::uint64_t ns_of_ticks(std::uint64_t ticks, std::uint64_t ns_per_tick_q60) {
  return static_cast<std::uint64_t>((Wide{ticks} * ns_per_tick_q60) >> 60U);
}

}  // namespace spyglass::collector
