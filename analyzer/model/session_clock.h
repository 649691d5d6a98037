// SPDX-License-Identifier: Apache-2.0
// session_clock.h - ticks of a session's clock to nanoseconds.
#pragma once

#include <cstdint>
#include <optional>

#include "format/records.h"

namespace spyglass::model {

class SessionClock {
 public:
  SessionClock() = default;
  // By the samples at both ends of the session; without an end, or when they make no sense, by the
  // ratio that the recorder measured at the start.
  SessionClock(const format::SessionInfo& session, const std::optional<format::EndInfo>& end);

  double ns(double ticks) const { return ticks * ns_per_tick_; }
  // From the start of the session.
  double ns_since_start(std::uint64_t ticks) const;
  std::uint64_t ticks_at(double ns_since_start) const;
  std::uint64_t start_ticks() const { return start_ticks_; }

 private:
  double ns_per_tick_ = 1;
  std::uint64_t start_ticks_ = 0;
};

}  // namespace spyglass::model
