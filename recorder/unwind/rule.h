// SPDX-License-Identifier: Apache-2.0
// rule.h - how to get from one frame of a stack to its caller's, and doing it.
//
//   Where    target side and collector; header-only, no libstdc++ symbols.
//   Memory   a Rule fills one word, so that it can be stored in one piece.
//   Errors   kUnknown, kStuck: the stack goes on, but can't be followed by these means.
#pragma once

#include <cstdint>

namespace spyglass::unwind {

// CFA (canonical frame address): the caller's stack pointer at the call. The return address is
// right below it.
enum class RuleKind : std::uint8_t {
  kUnknown,        // there is no rule, or it needs more than a Rule can say
  kRsp,            // CFA = rsp + offset
  kRbp,            // CFA = rbp + offset
  kRspDeref,       // CFA = [rsp + offset]
  kRbpDeref,       // CFA = [rbp + offset]; compilers, in functions that realign their stack
  kRspDerefPlus8,  // CFA = [rsp + offset] + 8; assembler code that realigns its stack
  kRbpDerefPlus8,  // CFA = [rbp + offset] + 8
  kSignal,         // the kernel called a handler from here: rsp points to a ucontext_t
  kOutermost,      // nobody called: the stack ends with this frame
};

enum class SavedRbp : std::uint8_t {
  kSame,   // rbp is the caller's
  kAtCfa,  // the caller's is at CFA + rbp_slot * 8
  kAtRbp,  // at rbp + rbp_slot * 8
};

struct Rule {
  std::int32_t offset;
  std::int16_t rbp_slot;
  RuleKind kind;
  SavedRbp saved_rbp;
};
static_assert(sizeof(Rule) == 8);

inline constexpr Rule kUnknownRule = {0, 0, RuleKind::kUnknown, SavedRbp::kSame};
// For code without rules that keeps a frame pointer, as JIT compilers' does.
inline constexpr Rule kFramePointerRule = {16, -2, RuleKind::kRbp, SavedRbp::kAtCfa};

struct Registers {
  std::uint64_t pc;
  std::uint64_t sp;
  std::uint64_t rbp;
  bool after_call;  // pc is a return address: the rule of pc - 1 holds

  std::uint64_t rule_pc() const { return after_call ? pc - 1 : pc; }
};

// Where the kernel keeps the interrupted registers, from the ucontext_t on.
inline constexpr std::uint64_t kContextRbp = 120;
inline constexpr std::uint64_t kContextRsp = 160;
inline constexpr std::uint64_t kContextRip = 168;

enum class Step { kCaller, kOutermost, kStuck };

inline std::uint64_t plus(std::uint64_t base, std::int64_t offset) {
  return base + static_cast<std::uint64_t>(offset);
}

// The CFA by a rule that has one (kRsp to kRbpDerefPlus8); false if it is in no memory.
template <typename Read>
inline bool find_cfa(const Rule& rule, const Registers& registers, Read& read, std::uint64_t& cfa) {
  const std::uint64_t by_rsp = plus(registers.sp, rule.offset);
  const std::uint64_t by_rbp = plus(registers.rbp, rule.offset);
  switch (rule.kind) {
    case RuleKind::kRsp:
      cfa = by_rsp;
      return true;
    case RuleKind::kRbp:
      cfa = by_rbp;
      return true;
    case RuleKind::kRspDeref:
      return read(by_rsp, cfa);
    case RuleKind::kRbpDeref:
      return read(by_rbp, cfa);
    case RuleKind::kRspDerefPlus8:
    case RuleKind::kRbpDerefPlus8:
      if (!read(rule.kind == RuleKind::kRspDerefPlus8 ? by_rsp : by_rbp, cfa)) {
        return false;
      }
      cfa += 8;
      return true;
    default:
      return false;
  }
}

// Goes to the interrupted function.
template <typename Read>
inline Step step_over_signal(Registers& registers, Read& read) {
  Registers interrupted = {0, 0, 0, false};
  if (!read(registers.sp + kContextRip, interrupted.pc) ||
      !read(registers.sp + kContextRsp, interrupted.sp) ||
      !read(registers.sp + kContextRbp, interrupted.rbp)) {
    return Step::kStuck;
  }
  registers = interrupted;
  return Step::kCaller;
}

// Goes to the caller's frame. `read` is bool(std::uint64_t address, std::uint64_t& value) and says
// whether there is memory of the stack at `address`. On kStuck `registers` is as before.
template <typename Read>
inline Step step(const Rule& rule, Registers& registers, Read&& read) {
  if (rule.kind == RuleKind::kOutermost) {
    return Step::kOutermost;
  }
  if (rule.kind == RuleKind::kSignal) {
    return step_over_signal(registers, read);
  }
  Registers caller = {0, 0, registers.rbp, true};
  // A caller's frame is further out: or a smashed stack could lead in circles.
  if (!find_cfa(rule, registers, read, caller.sp) || caller.sp <= registers.sp ||
      !read(caller.sp - 8, caller.pc)) {
    return Step::kStuck;
  }
  if (rule.saved_rbp != SavedRbp::kSame) {
    const std::uint64_t base = rule.saved_rbp == SavedRbp::kAtRbp ? registers.rbp : caller.sp;
    const std::uint64_t slot = plus(base, rule.rbp_slot * 8);
    if (!read(slot, caller.rbp)) {
      if (slot >= registers.sp) {
        return Step::kStuck;
      }
      caller.rbp = registers.rbp;  // popped already; compilers don't say so in epilogues
    }
  }
  if (caller.pc == 0) {
    return Step::kOutermost;
  }
  registers = caller;
  return Step::kCaller;
}

}  // namespace spyglass::unwind
