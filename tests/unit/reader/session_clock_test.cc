// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/session_clock.h"

#include <catch2/catch.hpp>

namespace spyglass {
namespace {

TEST_CASE("session clock: ticks to nanoseconds, exact up to the end") {
  format::SessionInfo session;
  session.start = {1000, 5000, 0};
  session.ns_per_tick_q60 = std::uint64_t{1} << 59U;
  const SessionClock clock(session, std::nullopt);
  CHECK(clock.ns_per_tick() == 0.5);
  CHECK(clock.since_start_ns(1000) == 0);
  CHECK(clock.since_start_ns(1100) == 50);
  CHECK(clock.since_start_ns(900) == -50);
  CHECK(clock.duration_ns(~std::uint64_t{0}) == ~std::uint64_t{0} / 2);
}

TEST_CASE("session clock: the whole session gives a better rate, a nonsensical one is ignored") {
  format::SessionInfo session;
  session.start = {0, 0, 0};
  session.ns_per_tick_q60 = std::uint64_t{1} << 59U;
  format::EndInfo end;
  end.end = {2'000'000'000, 1'001'000'000, 0};
  CHECK(SessionClock(session, end).since_start_ns(2'000'000'000) ==
        Approx(1'001'000'000).margin(2));
  end.end.monotonic_ns = 9'000'000'000;
  CHECK(SessionClock(session, end).since_start_ns(2'000'000'000) == 1'000'000'000);
}

}  // namespace
}  // namespace spyglass
