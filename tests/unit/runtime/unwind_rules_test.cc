// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/unwind_rules.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace {

using namespace spyglass;
using namespace spyglass::runtime;

std::uint64_t rule_now(std::uint64_t pc) {
  return rule_word_at(pc, g_rule_epoch.load(std::memory_order_relaxed));
}

// Instructions of libc, every `step` bytes.
std::vector<std::uint64_t> instructions(std::uint64_t count, std::uint64_t step) {
  const auto begin = reinterpret_cast<std::uint64_t>(&std::qsort);
  std::vector<std::uint64_t> made;
  made.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    made.push_back(begin + i * step);
  }
  return made;
}

TEST_CASE("Instructions that share a slot keep their own rules", "[unwind_rules]") {
  // As far apart as the table is long, and in one granule of four bytes.
  const std::uint64_t slots = std::uint64_t{1} << kRuleBits;
  std::vector<std::uint64_t> sharing = instructions(3, slots * 4);
  const std::vector<std::uint64_t> near = instructions(200, 1);
  sharing.insert(sharing.end(), near.begin(), near.end());
  REQUIRE(&rule_slot(sharing[0]) == &rule_slot(sharing[1]));
  std::vector<std::uint64_t> rules;
  rules.reserve(sharing.size());
  for (const std::uint64_t pc : sharing) {
    rules.push_back(find_rule_slowly(pc));
  }
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < sharing.size(); ++i) {
      CHECK(rule_now(sharing[i]) == rules[i]);
      CHECK(rule_now(sharing[0]) == rules[0]);
    }
  }
}

TEST_CASE("A rule of another epoch is not taken", "[unwind_rules]") {
  const auto pc = reinterpret_cast<std::uint64_t>(&std::qsort);
  const std::uint64_t rule = find_rule_slowly(pc);
  RuleSlot& slot = rule_slot(pc);
  const std::uint64_t epoch = g_rule_epoch.load(std::memory_order_relaxed);
  const std::uint64_t other = std::bit_cast<std::uint64_t>(kNeverCalledRule);
  slot.rule.store(other);
  slot.check.store(mixed(other) ^ pc ^ epoch);
  CHECK(rule_now(pc) == other);
  forget_rules();
  CHECK(rule_now(pc) == rule);
}

TEST_CASE("A half-written entry is a miss", "[unwind_rules]") {
  const auto pc = reinterpret_cast<std::uint64_t>(&std::qsort);
  const std::uint64_t rule = find_rule_slowly(pc);
  RuleSlot& slot = rule_slot(pc);
  slot.rule.store(std::bit_cast<std::uint64_t>(kNeverCalledRule));
  CHECK(rule_now(pc) == rule);
  slot.check.store(0);
  slot.rule.store(0);
  CHECK(rule_now(pc) == rule);
}

}  // namespace
