// SPDX-License-Identifier: Apache-2.0
#include "recorder/unwind/cfi_program.h"

#include "recorder/unwind/expression.h"

namespace spyglass::unwind {
namespace {

constexpr std::uint64_t kRbp = 6;
constexpr std::uint64_t kRsp = 7;
constexpr std::uint64_t kReturnAddress = 16;
constexpr unsigned kMaxRemembered = 8;  // hooks run on small stacks, too
constexpr std::uint64_t kMaxProgramBytes = std::uint64_t{1} << 20U;  // bounds time

// Numbers of the DWARF standard and of GNU's extensions.
enum Opcode : unsigned {
  kAdvanceLoc = 1,  // in the two upper bits, as the next two
  kOffset = 2,
  kRestore = 3,
  kNop = 0x00,
  kSetLoc = 0x01,
  kAdvanceLoc1 = 0x02,
  kAdvanceLoc2 = 0x03,
  kAdvanceLoc4 = 0x04,
  kOffsetExtended = 0x05,
  kRestoreExtended = 0x06,
  kUndefined = 0x07,
  kSameValue = 0x08,
  kRegister = 0x09,
  kRememberState = 0x0a,
  kRestoreState = 0x0b,
  kDefCfa = 0x0c,
  kDefCfaRegister = 0x0d,
  kDefCfaOffset = 0x0e,
  kDefCfaExpression = 0x0f,
  kExpression = 0x10,
  kOffsetExtendedSf = 0x11,
  kDefCfaSf = 0x12,
  kDefCfaOffsetSf = 0x13,
  kValOffset = 0x14,
  kValOffsetSf = 0x15,
  kValExpression = 0x16,
  kGnuArgsSize = 0x2e,
  kGnuNegativeOffsetExtended = 0x2f,
};

enum class How : std::uint8_t { kSame, kUndefined, kAtCfa, kAtExpression, kElsewhere };

struct Expression {
  const std::uint8_t* begin = nullptr;
  std::uint32_t bytes = 0;

  ByteReader reader() const { return {begin, begin + bytes, 0}; }
};

// Where the caller's value of a register is.
struct Saved {
  How how = How::kSame;
  std::int64_t cfa_offset = 0;
  Expression expression = {};
};

struct State {
  std::uint64_t cfa_register = kRsp;
  std::int64_t cfa_offset = 0;
  bool cfa_is_expression = false;
  Expression cfa_expression;
  Saved rbp;
  Saved return_address;
};

Expression read_expression(ByteReader& code) {
  const ByteReader part = code.part(code.uleb());
  // Programs are shorter than 32 bits can say.
  return {part.at(), static_cast<std::uint32_t>(part.left())};
}

class Machine {
 public:
  Machine(const FrameEntry& entry, std::uint64_t pc)
      : entry_(entry), pc_(pc), location_(entry.begin) {}

  bool run(ByteReader code) {
    while (!code.done()) {
      if (!run_one(code) || !code.ok()) {
        return false;
      }
      if (location_ > pc_) {
        return true;  // what follows holds for later instructions
      }
    }
    return true;
  }
  void keep_initial() { initial_ = state_; }
  const State& state() const { return state_; }

 private:
  bool run_one(ByteReader& code) {
    const auto byte = static_cast<unsigned>(code.fixed(1));
    const unsigned operand = byte & 0x3fU;
    switch (byte >> 6U) {
      case kAdvanceLoc:
        return advance(operand);
      case kOffset:
        set(operand, {How::kAtCfa, unfactored(code.uleb())});
        return true;
      case kRestore:
        restore(operand);
        return true;
      default:
        return run_location(operand, code);
    }
  }

  bool run_location(unsigned opcode, ByteReader& code) {
    switch (opcode) {
      case kNop:
        return true;
      case kSetLoc:
        location_ = code.pointer(entry_.pointer_encoding, entry_.data_address);
        return true;
      case kAdvanceLoc1:
        return advance(code.fixed(1));
      case kAdvanceLoc2:
        return advance(code.fixed(2));
      case kAdvanceLoc4:
        return advance(code.fixed(4));
      case kRememberState:
        if (remembered_count_ == kMaxRemembered) {
          return false;
        }
        remembered_[remembered_count_] = state_;
        remembered_count_ += 1;
        return true;
      case kRestoreState:
        if (remembered_count_ == 0) {
          return false;
        }
        remembered_count_ -= 1;
        state_ = remembered_[remembered_count_];
        return true;
      case kGnuArgsSize:
        code.uleb();
        return true;
      default:
        return opcode >= kDefCfa && opcode <= kDefCfaOffsetSf && opcode != kExpression &&
                       opcode != kOffsetExtendedSf
                   ? run_cfa(opcode, code)
                   : run_register(opcode, code);
    }
  }

  bool run_cfa(unsigned opcode, ByteReader& code) {
    if (opcode == kDefCfaExpression) {
      state_.cfa_is_expression = true;
      state_.cfa_expression = read_expression(code);
      return true;
    }
    if (opcode == kDefCfa || opcode == kDefCfaSf || opcode == kDefCfaRegister) {
      state_.cfa_register = code.uleb();
      state_.cfa_is_expression = false;
    }
    if (opcode == kDefCfa || opcode == kDefCfaOffset) {
      state_.cfa_offset = static_cast<std::int64_t>(code.uleb());
    } else if (opcode == kDefCfaSf || opcode == kDefCfaOffsetSf) {
      state_.cfa_offset = unfactored(static_cast<std::uint64_t>(code.sleb()));
    }
    return true;
  }

  bool run_register(unsigned opcode, ByteReader& code) {
    const std::uint64_t number = code.uleb();
    switch (opcode) {
      case kOffsetExtended:
        set(number, {How::kAtCfa, unfactored(code.uleb())});
        return true;
      case kOffsetExtendedSf:
        set(number, {How::kAtCfa, unfactored(static_cast<std::uint64_t>(code.sleb()))});
        return true;
      case kGnuNegativeOffsetExtended:
        set(number, {How::kAtCfa, unfactored(~code.uleb() + 1)});
        return true;
      case kRestoreExtended:
        restore(number);
        return true;
      case kUndefined:
        set(number, {How::kUndefined});
        return true;
      case kSameValue:
        set(number, {How::kSame});
        return true;
      case kExpression:
        set(number, {How::kAtExpression, 0, read_expression(code)});
        return true;
      case kValExpression:
        read_expression(code);
        set(number, {How::kElsewhere});
        return true;
      case kRegister:
      case kValOffset:
      case kValOffsetSf:
        code.uleb();  // of the same length when signed
        set(number, {How::kElsewhere});
        return true;
      default:
        return false;
    }
  }

  bool advance(std::uint64_t delta) {
    location_ += delta * entry_.code_factor;
    return true;
  }

  std::int64_t unfactored(std::uint64_t value) const {
    return static_cast<std::int64_t>(value * static_cast<std::uint64_t>(entry_.data_factor));
  }

  void set(std::uint64_t number, const Saved& saved) {
    if (number == kRbp) {
      state_.rbp = saved;
    } else if (number == kReturnAddress) {
      state_.return_address = saved;
    }
  }
  void restore(std::uint64_t number) {
    if (number == kRbp) {
      state_.rbp = initial_.rbp;
    } else if (number == kReturnAddress) {
      state_.return_address = initial_.return_address;
    }
  }

  const FrameEntry& entry_;
  std::uint64_t pc_;
  std::uint64_t location_;
  State state_;
  State initial_;
  State remembered_[kMaxRemembered];
  unsigned remembered_count_ = 0;
};

bool fits(std::int64_t value, unsigned bits) {
  return value >= -(std::int64_t{1} << (bits - 1)) && value < std::int64_t{1} << (bits - 1);
}

Rule with_cfa(const Term& term) {
  Rule rule = kUnknownRule;
  const bool plus8 = term.after == 8;
  if ((term.base != Base::kRsp && term.base != Base::kRbp) || !fits(term.offset, 32) ||
      (term.after != 0 && !plus8)) {
    return rule;
  }
  const bool rsp = term.base == Base::kRsp;
  rule.offset = static_cast<std::int32_t>(term.offset);
  if (!term.deref) {
    rule.kind = rsp ? RuleKind::kRsp : RuleKind::kRbp;
  } else if (plus8) {
    rule.kind = rsp ? RuleKind::kRspDerefPlus8 : RuleKind::kRbpDerefPlus8;
  } else {
    rule.kind = rsp ? RuleKind::kRspDeref : RuleKind::kRbpDeref;
  }
  return rule;
}

bool cfa_term(const State& state, std::uint64_t pc, Term& term) {
  if (state.cfa_is_expression) {
    return evaluate(state.cfa_expression.reader(), pc, nullptr, term);
  }
  term = {state.cfa_register == kRsp ? Base::kRsp : Base::kRbp, false, state.cfa_offset, 0};
  return state.cfa_register == kRsp || state.cfa_register == kRbp;
}

// The place that holds a saved register, never the register itself.
bool place_term(const Saved& saved, std::uint64_t pc, Term& term) {
  constexpr Term kCfa = {Base::kCfa, false, 0, 0};
  if (saved.how == How::kAtCfa) {
    term = {Base::kCfa, false, saved.cfa_offset, 0};
    return true;
  }
  return saved.how == How::kAtExpression && evaluate(saved.expression.reader(), pc, &kCfa, term) &&
         !term.deref;
}

bool set_saved_rbp(const Saved& saved, std::uint64_t pc, Rule& rule) {
  if (saved.how == How::kSame || saved.how == How::kUndefined) {
    return true;
  }
  Term place = {};
  if (!place_term(saved, pc, place) || (place.base != Base::kCfa && place.base != Base::kRbp) ||
      place.offset % 8 != 0 || !fits(place.offset / 8, 16)) {
    return false;
  }
  rule.saved_rbp = place.base == Base::kCfa ? SavedRbp::kAtCfa : SavedRbp::kAtRbp;
  rule.rbp_slot = static_cast<std::int16_t>(place.offset / 8);
  return true;
}

bool is_at_rsp(const Term& term, std::uint64_t offset) {
  return term.base == Base::kRsp && term.offset == static_cast<std::int64_t>(offset);
}

// Whether the registers are where the kernel saves them; signal frames of other shapes are not
// ours.
bool is_kernel_frame(const State& state, std::uint64_t pc) {
  Term cfa = {};
  Term return_address = {};
  Term rbp = {};
  return cfa_term(state, pc, cfa) && place_term(state.return_address, pc, return_address) &&
         place_term(state.rbp, pc, rbp) && cfa.deref && cfa.after == 0 &&
         is_at_rsp(cfa, kContextRsp) && is_at_rsp(return_address, kContextRip) &&
         is_at_rsp(rbp, kContextRbp);
}

Rule rule_of(const State& state, std::uint64_t pc, bool signal_frame) {
  if (state.return_address.how == How::kUndefined) {
    return {0, 0, RuleKind::kOutermost, SavedRbp::kSame};
  }
  if (signal_frame) {
    return is_kernel_frame(state, pc) ? Rule{0, 0, RuleKind::kSignal, SavedRbp::kSame}
                                      : kUnknownRule;
  }
  Term cfa = {};
  Term return_address = {};
  if (!cfa_term(state, pc, cfa) || !place_term(state.return_address, pc, return_address) ||
      return_address.base != Base::kCfa || return_address.offset != -8) {
    return kUnknownRule;
  }
  Rule rule = with_cfa(cfa);
  return set_saved_rbp(state.rbp, pc, rule) ? rule : kUnknownRule;
}

}  // namespace

Rule run_program(const FrameEntry& entry, std::uint64_t pc) {
  Machine machine(entry, pc);
  if (entry.first_instructions.left() > kMaxProgramBytes ||
      entry.instructions.left() > kMaxProgramBytes || !machine.run(entry.first_instructions)) {
    return kUnknownRule;
  }
  machine.keep_initial();
  if (!machine.run(entry.instructions)) {
    return kUnknownRule;
  }
  return rule_of(machine.state(), pc, entry.signal_frame);
}

}  // namespace spyglass::unwind
