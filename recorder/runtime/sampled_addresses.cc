// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/sampled_addresses.h"

namespace spyglass::runtime {

constinit std::atomic<std::uint8_t> g_sample_counts[1U << kSampleGroupBits] = {};

namespace {

constexpr unsigned kPlaces = 8;

struct alignas(64) Group {
  std::atomic<std::uint64_t> places[kPlaces];
};
constinit Group g_groups[1U << kSampleGroupBits] = {};

constexpr unsigned kLogBits = 20;                // after the point
constexpr std::uint64_t kLn2 = 726817;           // ln 2 * 2^20
constexpr std::uint64_t kLongest = 1ULL << 62U;  // bytes

__extension__ using Wide = unsigned __int128;

// -log2(value / 2^64) with kLogBits after the point, bit by bit: squaring a number of [1, 2)
// doubles its logarithm. No floating point on this side.
std::uint64_t minus_log2(std::uint64_t value) {
  const auto zeros = static_cast<unsigned>(__builtin_clzll(value | 1U));
  std::uint64_t mantissa = (value | 1U) << zeros;  // [1, 2) times 2^63
  std::uint64_t fraction = 0;
  for (unsigned i = 0; i < kLogBits; ++i) {
    const Wide square = Wide{mantissa} * mantissa >> 63U;
    const bool doubled = (square >> 64U) != 0;
    mantissa = static_cast<std::uint64_t>(doubled ? square >> 1U : square);
    fraction = fraction << 1U | (doubled ? 1U : 0U);
  }
  return (std::uint64_t{zeros + 1U} << kLogBits) - fraction;
}

// xorshift64*: G. Marsaglia, "Xorshift RNGs", 2003; S. Vigna's multiplier.
std::uint64_t next_random(std::uint64_t& state) {
  state ^= state >> 12U;
  state ^= state << 25U;
  state ^= state >> 27U;
  return state * 0x2545f4914f6cdd1dULL;
}

}  // namespace

bool finds_sample(std::uint64_t address) {
  for (const std::atomic<std::uint64_t>& place : g_groups[sample_group(address)].places) {
    if (place.load(std::memory_order_relaxed) == address) {
      return true;
    }
  }
  return false;
}

bool remember_sample(std::uint64_t address) {
  const std::uint64_t group = sample_group(address);
  for (std::atomic<std::uint64_t>& place : g_groups[group].places) {
    std::uint64_t empty = 0;
    if (place.load(std::memory_order_relaxed) == 0 &&
        place.compare_exchange_strong(empty, address, std::memory_order_relaxed)) {
      g_sample_counts[group].fetch_add(1, std::memory_order_relaxed);
      return true;
    }
  }
  return false;
}

void forget_sample(std::uint64_t address) {
  const std::uint64_t group = sample_group(address);
  for (std::atomic<std::uint64_t>& place : g_groups[group].places) {
    if (place.load(std::memory_order_relaxed) == address) {
      g_sample_counts[group].fetch_sub(1, std::memory_order_relaxed);
      place.store(0, std::memory_order_relaxed);
      return;
    }
  }
}

std::int64_t next_sample_distance(std::uint64_t& random, std::uint64_t mean_bytes) {
  const Wide distance =
      (Wide{minus_log2(next_random(random))} * mean_bytes * kLn2) >> (2U * kLogBits);
  return static_cast<std::int64_t>(distance >= kLongest ? kLongest
                                                        : static_cast<std::uint64_t>(distance) + 1);
}

}  // namespace spyglass::runtime
