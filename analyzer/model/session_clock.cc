// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/session_clock.h"

#include <algorithm>
#include <cmath>

namespace spyglass::model {
namespace {

// Reading two clocks takes some 100 ns; below this the ratio of the samples is the worse one.
constexpr std::uint64_t kShortSessionNs = 20'000'000;
constexpr double kPlausibleDifference = 0.01;
// Of no processor; a damaged recording may claim them.
constexpr double kFastestTickNs = 1e-3;
constexpr double kSlowestTickNs = 10;

}  // namespace

SessionClock::SessionClock(const format::SessionInfo& session,
                           const std::optional<format::EndInfo>& end)
    : start_ticks_(session.start.ticks) {
  const double measured = std::ldexp(static_cast<double>(session.ns_per_tick_q60), -60);
  if (measured > 0) {
    ns_per_tick_ = std::clamp(measured, kFastestTickNs, kSlowestTickNs);
  }
  if (!end || end->end.ticks <= session.start.ticks ||
      end->end.monotonic_ns <= session.start.monotonic_ns) {
    return;
  }
  const std::uint64_t elapsed_ns = end->end.monotonic_ns - session.start.monotonic_ns;
  const double sampled =
      static_cast<double>(elapsed_ns) / static_cast<double>(end->end.ticks - session.start.ticks);
  const bool plausible = std::abs(sampled / ns_per_tick_ - 1) < kPlausibleDifference;
  if (measured <= 0 || (plausible && elapsed_ns >= kShortSessionNs)) {
    ns_per_tick_ = std::clamp(sampled, kFastestTickNs, kSlowestTickNs);
  }
}

double SessionClock::ns_since_start(std::uint64_t ticks) const {
  return ticks >= start_ticks_ ? ns(static_cast<double>(ticks - start_ticks_)) : 0;
}

std::uint64_t SessionClock::ticks_at(double ns_since_start) const {
  const double ticks = ns_since_start / ns_per_tick_;
  constexpr double kLast = 9e18;
  return start_ticks_ + static_cast<std::uint64_t>(std::fmin(std::fmax(ticks, 0), kLast));
}

}  // namespace spyglass::model
