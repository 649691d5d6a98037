// SPDX-License-Identifier: Apache-2.0
// session_clock.h - ticks of a recording as nanoseconds since the session began.
//
//   Where    analyzer and tools; header-only.
#pragma once

#include <cstdint>
#include <optional>

#include "format/records.h"

namespace spyglass {

class SessionClock {
 public:
  SessionClock() = default;
  // With the end known, the rate is that of the whole session, more exact than what was measured at
  // its start.
  SessionClock(const format::SessionInfo& session, const std::optional<format::EndInfo>& end)
      : start_ticks_(session.start.ticks), ns_per_tick_q60_(session.ns_per_tick_q60) {
    constexpr std::uint64_t kLongEnoughNs = 100'000'000;
    if (!end || end->end.ticks <= session.start.ticks ||
        end->end.monotonic_ns < session.start.monotonic_ns + kLongEnoughNs) {
      return;
    }
    const std::uint64_t ticks = end->end.ticks - session.start.ticks;
    const std::uint64_t ns = end->end.monotonic_ns - session.start.monotonic_ns;
    const auto rate = static_cast<std::uint64_t>((Wide{ns} << 60U) / ticks);
    // A recording that contradicts itself by more than 1 % is not trusted to be more exact.
    const std::uint64_t difference =
        rate > ns_per_tick_q60_ ? rate - ns_per_tick_q60_ : ns_per_tick_q60_ - rate;
    if (ns_per_tick_q60_ == 0 || difference < ns_per_tick_q60_ / 100) {
      ns_per_tick_q60_ = rate;
    }
  }

  double ns_per_tick() const { return static_cast<double>(ns_per_tick_q60_) * 0x1p-60; }

  std::uint64_t duration_ns(std::uint64_t ticks) const {
    return static_cast<std::uint64_t>((Wide{ticks} * ns_per_tick_q60_) >> 60U);
  }
  // Negative before the session's start.
  std::int64_t since_start_ns(std::uint64_t ticks) const {
    return ticks >= start_ticks_ ? static_cast<std::int64_t>(duration_ns(ticks - start_ticks_))
                                 : -static_cast<std::int64_t>(duration_ns(start_ticks_ - ticks));
  }

 private:
  __extension__ using Wide = unsigned __int128;

  std::uint64_t start_ticks_ = 0;
  std::uint64_t ns_per_tick_q60_ = 0;
};

}  // namespace spyglass
