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
  std::atomic<std::uint64_t> check;  // mixed(rule) ^ instruction ^ epoch
  std::atomic<std::uint64_t> rule;
};
[[gnu::visibility("hidden")]] extern RuleSlot g_rule_slots[std::uint64_t{1} << kRuleBits];

// An unwind must have a frame's rule before it can look for the next one's. So the way from a
// return address, which is pc + 1, to its slot is two instructions long. Two calls hardly ever
// return within four bytes.
inline RuleSlot& rule_slot(std::uint64_t pc) {
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kRuleBits) - 1;
  return g_rule_slots[(pc + 1) >> 2U & kMask];
}

// Rules are alike: mixed, half of one entry and half of another make no third.
inline std::uint64_t mixed(std::uint64_t rule) { return rule * 0x9e3779b97f4a7c15ULL; }

// Begins in the bits above an address; changes when rules (and nodes of code) lose their meaning.
extern std::atomic<std::uint64_t> g_rule_epoch;

[[gnu::cold, gnu::noinline]] std::uint64_t find_rule_slowly(std::uint64_t pc);

// The Rule's word; a loop takes it apart faster than a structure that must be in memory. `epoch`:
// g_rule_epoch.
[[gnu::always_inline]] inline std::uint64_t rule_word_at(std::uint64_t pc, std::uint64_t epoch) {
  const RuleSlot& slot = rule_slot(pc);
  const std::uint64_t rule = slot.rule.load(std::memory_order_relaxed);
  const std::uint64_t key = slot.check.load(std::memory_order_relaxed) ^ mixed(rule);
  if (__builtin_expect(static_cast<long>(key == (pc ^ epoch)), 1) != 0) {
    return rule;
  }
  return find_rule_slowly(pc);
}

// After a module was unloaded: another may stand at its addresses.
void forget_rules();

}  // namespace spyglass::runtime
