// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/deadlock_view.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <utility>
#include <vector>

namespace {

using spyglass::Profile;
using spyglass::UnfinishedWait;

Profile waits(const std::vector<std::pair<std::uint32_t, std::uint32_t>>& threads,
              double wait_ns = 1e9) {
  Profile profile;
  for (const auto& [thread, holder] : threads) {
    profile.unfinished_waits.push_back({thread, 0, 0, holder, 0, wait_ns});
  }
  return profile;
}

std::vector<std::vector<std::uint32_t>> cycles_of(const Profile& profile) {
  std::vector<std::vector<std::uint32_t>> cycles;
  for (const auto& cycle : spyglass::deadlocks(profile)) {
    cycles.emplace_back();
    for (const UnfinishedWait* wait : cycle) cycles.back().push_back(wait->thread);
  }
  return cycles;
}

using Cycles = std::vector<std::vector<std::uint32_t>>;

TEST_CASE("deadlocks are the cycles, each once", "[report]") {
  CHECK(cycles_of(waits({{1, 2}, {2, 1}})) == Cycles{{1, 2}});
  CHECK(cycles_of(waits({{1, 2}, {2, 3}, {3, 1}, {5, 5}})) == Cycles{{1, 2, 3}, {5}});
}

TEST_CASE("who waits for a deadlock is not in it", "[report]") {
  CHECK(cycles_of(waits({{1, 2}, {2, 3}, {3, 4}, {4, 3}, {9, 4}})) == Cycles{{3, 4}});
}

TEST_CASE("no deadlock without a cycle", "[report]") {
  CHECK(cycles_of(waits({})).empty());
  CHECK(cycles_of(waits({{1, 2}, {2, 3}})).empty());
  CHECK(cycles_of(waits({{1, 0}, {0, 1}})).empty());        // 0: not known
  CHECK(cycles_of(waits({{1, 2}, {2, 1}}, 50e6)).empty());  // short
}

}  // namespace
