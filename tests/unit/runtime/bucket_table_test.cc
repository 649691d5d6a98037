// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/bucket_table.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdint>

namespace {

using spyglass::runtime::bucket_of_ticks;
namespace format = spyglass::format;

TEST_CASE("the bucket table agrees with the arithmetic", "[runtime]") {
  for (const double ns_per_tick : {0.2, 0.385187492, 0.5, 0.9999}) {
    CAPTURE(ns_per_tick);
    const auto q64 = static_cast<std::uint64_t>(std::ldexp(ns_per_tick, 60)) << 4U;
    spyglass::runtime::fill_bucket_table(q64);
    const auto wrong_at = [q64](std::uint64_t ticks) {
      return bucket_of_ticks(ticks) != format::bucket_of_ns_q8(format::ticks_to_ns_q8(ticks, q64));
    };
    std::uint64_t wrong = 0;
    for (std::uint64_t ticks = 0; ticks < 200'000; ++ticks) {
      wrong += wrong_at(ticks) ? 1 : 0;
    }
    for (std::uint64_t ticks = 200'000; ticks < std::uint64_t{1} << 50U; ticks += ticks / 1021) {
      wrong += wrong_at(ticks) ? 1 : 0;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("a duration of a clock that ran backwards is in the last bucket", "[runtime]") {
  spyglass::runtime::fill_bucket_table(std::uint64_t{1} << 63U);
  for (const std::uint64_t ticks :
       {std::uint64_t{1} << 55U, std::uint64_t{1} << 60U, std::uint64_t{15} << 60U,
        ~std::uint64_t{1}, ~std::uint64_t{0}}) {
    CHECK(bucket_of_ticks(ticks) == format::kHistogramBuckets - 1);
  }
}

}  // namespace
