// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstdint>
#include <vector>

#include "format/arena.h"

namespace {

using namespace spyglass;

// How many of 1024 nodes find their slot taken: `parents` call as many functions each, all the same
// ones or each its own.
std::size_t conflicts(std::uint32_t parents, std::uint64_t step, std::uint64_t tag, bool same) {
  constexpr std::uint64_t kBegin = 0x5555'5555'5040;
  std::vector<bool> taken(format::kLookupEntries);
  std::size_t count = 0;
  for (std::uint32_t node = 0; node < 1024; ++node) {
    const std::uint32_t parent = node % parents;
    const std::uint64_t function = kBegin + (same ? node / parents : node) * step;
    const std::uint64_t slot = format::lookup_index(4 + parent * 2, tag | function);
    count += taken[slot] ? 1 : 0;
    taken[slot] = true;
  }
  return count;
}

TEST_CASE("Children spread over the lookup table", "[arena]") {
  const std::uint64_t tag = GENERATE(std::uint64_t{0}, format::kPcTag);
  const bool same = GENERATE(false, true);
  for (const std::uint32_t parents : {1U, 4U, 16U, 64U, 256U, 1024U}) {
    for (const std::uint64_t step : {3U, 5U, 16U, 24U, 64U, 160U, 4096U}) {
      INFO(parents << " parents, functions every " << step << " bytes");
      CHECK(conflicts(parents, step, tag, same) < 240);  // by chance 61 on average
    }
  }
}

}  // namespace
