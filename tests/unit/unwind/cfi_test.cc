// SPDX-License-Identifier: Apache-2.0
#include "recorder/unwind/cfi.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

#include "tests/support/cfi_image.h"

namespace {

using namespace spyglass::unwind;
using spyglass::CfiImage;

constexpr std::uint8_t kDefCfaRspPlus8[] = {0x0c, 7, 8, 0x80 | 16, 1};

// The rule `offset` bytes into a function with these instructions.
Rule rule_at(std::initializer_list<std::uint8_t> instructions, std::uint64_t offset,
             const char* augmentation = "zR") {
  CfiImage image(augmentation, kDefCfaRspPlus8);
  image.add_function(0x1000, 0x100, instructions);
  return find_rule(image.tables(), 0x1000 + offset);
}

bool is(const Rule& rule, RuleKind kind, std::int32_t offset, SavedRbp saved = SavedRbp::kSame,
        std::int16_t slot = 0) {
  return rule.kind == kind && rule.offset == offset && rule.saved_rbp == saved &&
         (saved == SavedRbp::kSame || rule.rbp_slot == slot);
}

TEST_CASE("a rule holds from its instruction on", "[unwind]") {
  // push rbp; mov rbp, rsp
  const std::initializer_list<std::uint8_t> code = {0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6};
  CHECK(is(rule_at(code, 0), RuleKind::kRsp, 8));
  CHECK(is(rule_at(code, 1), RuleKind::kRsp, 16, SavedRbp::kAtCfa, -2));
  CHECK(is(rule_at(code, 3), RuleKind::kRsp, 16, SavedRbp::kAtCfa, -2));
  CHECK(is(rule_at(code, 4), RuleKind::kRbp, 16, SavedRbp::kAtCfa, -2));
  CHECK(is(rule_at(code, 0xff), RuleKind::kRbp, 16, SavedRbp::kAtCfa, -2));
}

TEST_CASE("remembered states come back, the CFA included", "[unwind]") {
  const std::initializer_list<std::uint8_t> code = {0x41, 0x0e, 32, 0x86, 2,    0x02, 4,
                                                    0x0a, 0x0e, 8,  0xc6, 0x02, 4,    0x0b};
  CHECK(is(rule_at(code, 5), RuleKind::kRsp, 8));
  CHECK(is(rule_at(code, 9), RuleKind::kRsp, 32, SavedRbp::kAtCfa, -2));
}

TEST_CASE("unbalanced or endless remembering is refused", "[unwind]") {
  CHECK(rule_at({0x0b}, 0).kind == RuleKind::kUnknown);
  CHECK(rule_at({10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10}, 0).kind ==
        RuleKind::kUnknown);
}

TEST_CASE("a function that realigns its stack", "[unwind]") {
  // CFA = [rbp - 16], rbp at rbp + 0
  const Rule rule = rule_at({0x10, 6, 2, 0x76, 0, 0x0f, 3, 0x76, 0x70, 0x06}, 0);
  CHECK(is(rule, RuleKind::kRbpDeref, -16, SavedRbp::kAtRbp, 0));
}

TEST_CASE("assembler code that keeps the old stack pointer on the stack", "[unwind]") {
  // CFA = [rsp + 152] + 8
  const Rule rule = rule_at({0x0f, 6, 0x77, 0x98, 0x01, 0x06, 0x23, 8}, 0);
  CHECK(is(rule, RuleKind::kRspDerefPlus8, 152));
}

TEST_CASE("procedure linkage tables compute their CFA from the instruction's address", "[unwind]") {
  // rsp + 8 + ((rip & 15) >= 11) << 3
  const std::initializer_list<std::uint8_t> code = {0x0f, 11,   0x77, 8,    0x80, 0,   0x3f,
                                                    0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22};
  CHECK(is(rule_at(code, 0), RuleKind::kRsp, 8));
  CHECK(is(rule_at(code, 10), RuleKind::kRsp, 8));
  CHECK(is(rule_at(code, 11), RuleKind::kRsp, 16));
  CHECK(is(rule_at(code, 31), RuleKind::kRsp, 16));
}

TEST_CASE("the kernel's frame below a signal handler", "[unwind]") {
  const std::initializer_list<std::uint8_t> code = {
      0x0f, 4, 0x77, 0xa0, 0x01, 0x06, 0x10, 6, 3, 0x77, 0xf8, 0, 0x10, 16, 3, 0x77, 0xa8, 1};
  CHECK(rule_at(code, 0, "zRS").kind == RuleKind::kSignal);
  CHECK(rule_at({}, 0, "zRS").kind == RuleKind::kUnknown);
}

TEST_CASE("an undefined return address ends the stack", "[unwind]") {
  CHECK(rule_at({0x07, 16}, 0).kind == RuleKind::kOutermost);
}

TEST_CASE("what a rule cannot say is unknown", "[unwind]") {
  CHECK(rule_at({0x0c, 10, 8}, 0).kind == RuleKind::kUnknown);          // CFA = r10 + 8
  CHECK(rule_at({0x09, 6, 3}, 0).kind == RuleKind::kUnknown);           // rbp in rbx
  CHECK(rule_at({0x09, 16, 3}, 0).kind == RuleKind::kUnknown);          // return address in rbx
  CHECK(rule_at({0x0f, 2, 0x90, 0x01}, 0).kind == RuleKind::kUnknown);  // an opcode too rare
  CHECK(rule_at({0x3d}, 0).kind == RuleKind::kUnknown);                 // no instruction at all
  CHECK(rule_at({0x0f, 0x7f, 0x77}, 0).kind == RuleKind::kUnknown);     // longer than the entry
  CHECK(rule_at({0x0f, 1, 0x22}, 0).kind == RuleKind::kUnknown);        // adds what isn't there
  CHECK(rule_at({0x0c, 7, 0x80, 0x80, 0x80, 0x80, 0x80, 1}, 0).kind == RuleKind::kUnknown);
}

TEST_CASE("the function that covers an address is found, others are not", "[unwind]") {
  CfiImage image("zR", kDefCfaRspPlus8);
  for (std::uint64_t i = 0; i < 50; ++i) {
    image.add_function(0x2000 + i * 0x100, 0x80, {0x0e, static_cast<std::uint8_t>(16 + i)});
  }
  for (const bool with_table : {true, false}) {
    const Tables tables = image.tables(with_table);
    for (int i = 0; i < 50; ++i) {
      const std::uint64_t begin = 0x2000 + static_cast<std::uint64_t>(i) * 0x100;
      CHECK(is(find_rule(tables, begin), RuleKind::kRsp, 16 + i));
      CHECK(is(find_rule(tables, begin + 0x7f), RuleKind::kRsp, 16 + i));
      CHECK(find_rule(tables, begin + 0x80).kind == RuleKind::kUnknown);
      CHECK(has_entry(tables, begin));
      CHECK(entry_begin(tables, begin + 1) == begin);
      CHECK_FALSE(has_entry(tables, begin - 1));
    }
    CHECK(find_rule(tables, 0x1fff).kind == RuleKind::kUnknown);
    CHECK(find_rule(tables, ~std::uint64_t{0}).kind == RuleKind::kUnknown);
  }
}

TEST_CASE("no truncation of the tables is read past its end", "[unwind]") {
  CfiImage image("zPLR", kDefCfaRspPlus8);
  image.add_function(0x1000, 0x100, {0x41, 0x0e, 16, 0x86, 2});
  const Tables whole = image.tables();
  CHECK(is(find_rule(whole, 0x1004), RuleKind::kRsp, 16, SavedRbp::kAtCfa, -2));
  for (const bool of_header : {true, false}) {
    const View& view = of_header ? whole.header : whole.frames;
    for (auto bytes = view.end - view.begin - 1; bytes >= 0; --bytes) {
      // A copy of its own, so that address sanitizers see one byte too many.
      const std::vector<std::uint8_t> copy(view.begin, view.begin + bytes);
      Tables cut = whole;
      (of_header ? cut.header : cut.frames) = {copy.data(), copy.data() + bytes, view.address};
      find_rule(cut, 0x1004);
    }
  }
}

}  // namespace
