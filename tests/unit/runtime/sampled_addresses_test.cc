// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/sampled_addresses.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace spyglass::runtime {
namespace {

TEST_CASE("sampled addresses: known until forgotten, others never") {
  constexpr std::uint64_t kFirst = 0x7f0000001000;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    REQUIRE(remember_sample(kFirst + i * 32));
  }
  for (std::uint64_t i = 0; i < 1000; ++i) {
    CHECK(knows_sample(kFirst + i * 32));
    CHECK_FALSE(knows_sample(kFirst + i * 32 + 16));
  }
  for (std::uint64_t i = 0; i < 1000; ++i) {
    forget_sample(kFirst + i * 32);
    CHECK_FALSE(knows_sample(kFirst + i * 32));
  }
  for (const std::atomic<std::uint8_t>& count : g_sample_counts) {
    CHECK(count.load() == 0);
  }
}

TEST_CASE("sampled addresses: a full group takes no more, and what it holds stays right") {
  std::vector<std::uint64_t> same_group;
  const std::uint64_t group = sample_group(0x1000);
  for (std::uint64_t address = 0x1000; same_group.size() < 9; address += 16) {
    if (sample_group(address) == group) {
      same_group.push_back(address);
    }
  }
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(remember_sample(same_group[i]));
  }
  CHECK_FALSE(remember_sample(same_group[8]));
  CHECK_FALSE(knows_sample(same_group[8]));
  forget_sample(same_group[8]);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(knows_sample(same_group[i]));
    forget_sample(same_group[i]);
  }
  CHECK(g_sample_counts[group].load() == 0);
}

// Mean and standard deviation of an exponential distribution are equal, and half of it lies below
// mean * ln 2.
TEST_CASE("the distance of samples is exponentially distributed") {
  constexpr std::uint64_t kMean = 512U << 10U;
  constexpr int kDraws = 200'000;
  std::uint64_t random = 42;
  double sum = 0;
  double squares = 0;
  int below_median = 0;
  for (int i = 0; i < kDraws; ++i) {
    const auto distance = static_cast<double>(next_sample_distance(random, kMean));
    REQUIRE(distance >= 1);
    sum += distance;
    squares += distance * distance;
    below_median += distance < kMean * std::log(2.0) ? 1 : 0;
  }
  const double mean = sum / kDraws;
  const double deviation = std::sqrt(squares / kDraws - mean * mean);
  const double error = kMean / std::sqrt(static_cast<double>(kDraws));
  CHECK(std::abs(mean - kMean) < 4 * error);
  CHECK(std::abs(deviation - kMean) < 8 * error);
  CHECK(std::abs(below_median - kDraws / 2.0) < 4 * std::sqrt(kDraws) / 2);
  CHECK(next_sample_distance(random, ~std::uint64_t{0}) > 0);
}

}  // namespace
}  // namespace spyglass::runtime
