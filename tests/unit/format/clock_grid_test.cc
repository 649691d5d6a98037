// SPDX-License-Identifier: Apache-2.0
#include "format/clock_grid.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace spyglass::format {
namespace {

TEST_CASE("clock grid: every time is found again, whatever the step") {
  std::mt19937_64 random(1);
  for (std::uint64_t step = 1; step <= kMaxClockStep; ++step) {
    const std::uint64_t origin = random();
    const ClockGrid grid(step, origin);
    std::vector<std::uint64_t> times = {origin, origin - 1, origin + 1, 0, ~std::uint64_t{0}};
    for (int i = 0; i < 200; ++i) {
      times.push_back(origin + (random() >> (random() % 64)));
      times.push_back(origin + (random() >> 8U) / step * step);
    }
    for (const std::uint64_t time : times) {
      const GridTime found = grid.locate(time);
      REQUIRE(found.off < step);
      REQUIRE(grid.ticks_of(found.step) + found.off == time);
      REQUIRE(found.step == (time - origin) / step);
    }
  }
}

TEST_CASE("clock grid: the step is found though some times are a tick off") {
  const std::uint64_t step = GENERATE(2U, 10U, 26U, 36U, 128U);
  std::mt19937_64 random(2);
  std::vector<SpanRecord> spans;
  std::uint64_t now = 1'000'000'000'007;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t start = now + (random() % 20 == 0 ? 1 : 0);
    now += step * (1 + random() % 9);
    spans.push_back({start, now - start, 1});
  }
  const ClockGrid grid = find_clock_grid(spans, 1000);
  CHECK(grid.step_ticks() == step);
  CHECK(grid.locate(spans[0].start_ticks).step == 1000);
}

TEST_CASE("clock grid: times without a pattern have a step of one") {
  std::mt19937_64 random(3);
  std::vector<SpanRecord> spans;
  std::uint64_t now = 0;
  for (int i = 0; i < 100; ++i) {
    now += random() % 1000;
    spans.push_back({now, random() % 500, 1});
  }
  CHECK(find_clock_grid(spans, 5).step_ticks() == 1);
}

}  // namespace
}  // namespace spyglass::format
