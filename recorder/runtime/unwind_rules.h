// SPDX-License-Identifier: Apache-2.0
// unwind_rules.h - the unwinding rule of any instruction of this process, cached.
//
// The cache is one table for all threads, without locks: an entry is two words, and the first is
// right only together with the second and the instruction. Whatever else it holds, half-written
// entries of other threads included, is a miss.
//
//   Where    target side; async-signal-safe.
//   Threads  any.
//   Memory   1 MiB at most, touched as it is used.
//   Errors   no rule: kUnknown.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include "recorder/unwind/rule.h"

namespace spyglass::runtime {

// Set in a Rule's kind when the instruction is of libspyglass.so itself.
inline constexpr std::uint8_t kOwnCodeBit = 0x80;
inline unwind::Rule without_mark(unwind::Rule rule) {
  rule.kind = static_cast<unwind::RuleKind>(static_cast<std::uint8_t>(rule.kind) & ~kOwnCodeBit);
  return rule;
}
inline bool is_own_code(const unwind::Rule& rule) {
  return (static_cast<std::uint8_t>(rule.kind) & kOwnCodeBit) != 0;
}

// A Rule as a word.
inline unwind::RuleKind kind_of(std::uint64_t rule) {
  return static_cast<unwind::RuleKind>(rule >> 48U & 0xffU);
}
inline unwind::SavedRbp saved_rbp_of(std::uint64_t rule) {
  return static_cast<unwind::SavedRbp>(rule >> 56U);
}
inline std::int64_t offset_of(std::uint64_t rule) { return static_cast<std::int32_t>(rule); }
inline std::int64_t rbp_offset_of(std::uint64_t rule) {
  return (static_cast<std::int64_t>(rule << 16U) >> 48U) * 8;
}

// A return address that is the very begin of a function: nobody called, the stack was made so that
// it ends there (makecontext). The marked field has no meaning in kOutermost otherwise.
inline constexpr unwind::Rule kNeverCalledRule = {0, 0, unwind::RuleKind::kOutermost,
                                                  unwind::SavedRbp::kAtCfa};

inline constexpr unsigned kRuleBits = 16;
inline constexpr unsigned kCodeAddressBits = 47;

struct RuleSlot {
  std::atomic<std::uint64_t> check;  // rule ^ hash of the instruction
  std::atomic<std::uint64_t> rule;
};
extern RuleSlot g_rule_slots[std::uint64_t{1} << kRuleBits];

// Begins in the bits above an address; changes when rules (and nodes of code) lose their meaning.
extern std::atomic<std::uint64_t> g_rule_epoch;

[[gnu::cold, gnu::noinline]] std::uint64_t find_rule_slowly(std::uint64_t pc);

// The Rule's word; a loop takes it apart faster than a structure that must be in memory. `epoch`:
// g_rule_epoch.
[[gnu::always_inline]] inline std::uint64_t rule_word_at(std::uint64_t pc, std::uint64_t epoch) {
  const std::uint64_t hash = (pc ^ epoch) * 0x9e3779b97f4a7c15ULL;
  const RuleSlot& slot = g_rule_slots[hash >> (64U - kRuleBits)];
  const std::uint64_t rule = slot.rule.load(std::memory_order_relaxed);
  if (__builtin_expect(
          static_cast<long>((slot.check.load(std::memory_order_relaxed) ^ rule) == hash), 1) != 0) {
    return rule;
  }
  return find_rule_slowly(pc);
}

// After a module was unloaded: another may stand at its addresses.
void forget_rules();

}  // namespace spyglass::runtime
