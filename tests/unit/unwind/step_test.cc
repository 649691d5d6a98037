// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cstdint>
#include <map>

#include "recorder/unwind/rule.h"

namespace {

using namespace spyglass::unwind;

struct Stack {
  std::map<std::uint64_t, std::uint64_t> words;

  bool operator()(std::uint64_t address, std::uint64_t& value) const {
    const auto found = words.find(address);
    if (found == words.end()) {
      return false;
    }
    value = found->second;
    return true;
  }
};

Rule rule(RuleKind kind, std::int32_t offset, SavedRbp saved = SavedRbp::kSame,
          std::int16_t slot = 0) {
  return {offset, slot, kind, saved};
}

TEST_CASE("a step goes to the caller's registers", "[unwind]") {
  const Stack stack = {{{0x1010, 0x400123}, {0x1008, 0x2000}}};
  Registers at = {0x400500, 0x1000, 7, false};
  REQUIRE(step(rule(RuleKind::kRsp, 0x18, SavedRbp::kAtCfa, -2), at, stack) == Step::kCaller);
  CHECK(at.pc == 0x400123);
  CHECK(at.sp == 0x1018);
  CHECK(at.rbp == 0x2000);
  CHECK(at.after_call);
  CHECK(at.rule_pc() == 0x400122);
}

TEST_CASE("a step over the kernel's frame goes to the very instruction", "[unwind]") {
  const Stack stack = {{{0x1000 + kContextRip, 0x400123},
                        {0x1000 + kContextRsp, 0x900},
                        {0x1000 + kContextRbp, 0x980}}};
  Registers at = {0x400500, 0x1000, 7, true};
  REQUIRE(step(rule(RuleKind::kSignal, 0), at, stack) == Step::kCaller);
  CHECK(at.rule_pc() == 0x400123);
  CHECK(at.sp == 0x900);
  CHECK(at.rbp == 0x980);
}

TEST_CASE("a function that realigned its stack finds its caller through a word of it", "[unwind]") {
  const Stack stack = {{{0x1ff0, 0x2100}, {0x2000, 0x3000}, {0x20f8, 0x400123}}};
  Registers at = {0x400500, 0x1000, 0x2000, true};
  REQUIRE(step(rule(RuleKind::kRbpDeref, -16, SavedRbp::kAtRbp, 0), at, stack) == Step::kCaller);
  CHECK(at.sp == 0x2100);
  CHECK(at.rbp == 0x3000);
}

TEST_CASE("a smashed stack leaves the registers as they were", "[unwind]") {
  const Stack stack = {{{0x1010, 0x400123}}};
  const Registers before = {0x400500, 0x1000, 7, false};
  Registers at = before;
  for (const Rule& bad :
       {rule(RuleKind::kRsp, 0x40), rule(RuleKind::kRsp, 0), rule(RuleKind::kRsp, -8),
        rule(RuleKind::kRbp, 16), rule(RuleKind::kRspDeref, 0x10), rule(RuleKind::kRspDeref, 0x20),
        rule(RuleKind::kRsp, 0x18, SavedRbp::kAtCfa, -3), rule(RuleKind::kSignal, 0),
        kUnknownRule}) {
    CHECK(step(bad, at, stack) == Step::kStuck);
    CHECK(at.sp == before.sp);
    CHECK(at.pc == before.pc);
  }
}

TEST_CASE("the stack ends by rule or with a return address of 0", "[unwind]") {
  const Stack stack = {{{0x1000, 0}}};
  Registers at = {0x400500, 0x1000, 7, false};
  CHECK(step(rule(RuleKind::kOutermost, 0), at, stack) == Step::kOutermost);
  CHECK(step(rule(RuleKind::kRsp, 8), at, stack) == Step::kOutermost);
}

}  // namespace
