// SPDX-License-Identifier: Apache-2.0
#include "recorder/unwind/expression.h"

namespace spyglass::unwind {
namespace {

constexpr unsigned kMaxDepth = 16;
constexpr unsigned kRbpRegister = 6;
constexpr unsigned kRspRegister = 7;
constexpr unsigned kPcRegister = 16;

// Numbers of the DWARF standard.
enum Opcode : unsigned {
  kDeref = 0x06,
  kConst1u = 0x08,
  kConst1s = 0x09,
  kConst2u = 0x0a,
  kConst2s = 0x0b,
  kConst4u = 0x0c,
  kConst4s = 0x0d,
  kConst8u = 0x0e,
  kConst8s = 0x0f,
  kConstu = 0x10,
  kConsts = 0x11,
  kAnd = 0x1a,
  kMinus = 0x1c,
  kPlus = 0x22,
  kPlusUconst = 0x23,
  kShl = 0x24,
  kGe = 0x2a,
  kLit0 = 0x30,
  kLit31 = 0x4f,
  kBreg0 = 0x70,
  kBreg31 = 0x8f,
};

Term number(std::uint64_t value) {
  return {Base::kNumber, false, static_cast<std::int64_t>(value), 0};
}

std::int64_t sum(std::int64_t left, std::int64_t right) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(left) +
                                   static_cast<std::uint64_t>(right));
}

void add(Term& term, std::int64_t value) {
  std::int64_t& offset = term.deref ? term.after : term.offset;
  offset = sum(offset, value);
}

class Stack {
 public:
  bool push(const Term& term) {
    if (depth_ == kMaxDepth) {
      return false;
    }
    terms_[depth_] = term;
    depth_ += 1;
    return true;
  }
  bool has(unsigned count) const { return depth_ >= count; }
  Term& top() { return terms_[depth_ - 1]; }
  Term pop() {
    depth_ -= 1;
    return terms_[depth_];
  }

  bool dereference() {
    if (!has(1) || top().deref || top().base == Base::kNumber) {
      return false;
    }
    top().deref = true;
    return true;
  }

  // Two operands, of which at least the upper is a number (for plus: either).
  bool combine(unsigned opcode) {
    if (!has(2)) {
      return false;
    }
    Term right = pop();
    if (opcode == kPlus && right.base != Base::kNumber) {
      const Term other = right;
      right = top();
      top() = other;
    }
    if (right.base != Base::kNumber) {
      return false;
    }
    Term& left = top();
    const std::int64_t value = right.offset;
    if (opcode == kPlus || opcode == kMinus) {
      add(left, opcode == kPlus ? value : sum(~value, 1));
      return true;
    }
    if (left.base != Base::kNumber) {
      return false;
    }
    if (opcode == kAnd) {
      left.offset &= value;
    } else if (opcode == kGe) {
      left.offset = left.offset >= value ? 1 : 0;
    } else {
      left.offset = value < 0 || value > 63
                        ? 0
                        : static_cast<std::int64_t>(static_cast<std::uint64_t>(left.offset)
                                                    << static_cast<unsigned>(value));
    }
    return true;
  }

 private:
  Term terms_[kMaxDepth];
  unsigned depth_ = 0;
};

bool push_register(Stack& stack, unsigned number_of, std::int64_t offset, std::uint64_t pc) {
  switch (number_of) {
    case kRspRegister:
      return stack.push({Base::kRsp, false, offset, 0});
    case kRbpRegister:
      return stack.push({Base::kRbp, false, offset, 0});
    case kPcRegister:
      return stack.push(number(pc + static_cast<std::uint64_t>(offset)));
    default:
      return false;
  }
}

bool run_one(Stack& stack, ByteReader& code, std::uint64_t pc) {
  const auto opcode = static_cast<unsigned>(code.fixed(1));
  if (opcode >= kLit0 && opcode <= kLit31) {
    return stack.push(number(opcode - kLit0));
  }
  if (opcode >= kBreg0 && opcode <= kBreg31) {
    return push_register(stack, opcode - kBreg0, code.sleb(), pc);
  }
  switch (opcode) {
    case kDeref:
      return stack.dereference();
    case kConst1u:
    case kConst2u:
    case kConst4u:
    case kConst8u:
      return stack.push(number(code.fixed(1U << ((opcode - kConst1u) / 2))));
    case kConst1s:
    case kConst2s:
    case kConst4s:
    case kConst8s:
      return stack.push(
          number(static_cast<std::uint64_t>(code.fixed_signed(1U << ((opcode - kConst1s) / 2)))));
    case kConstu:
      return stack.push(number(code.uleb()));
    case kConsts:
      return stack.push(number(static_cast<std::uint64_t>(code.sleb())));
    case kPlusUconst: {
      const auto value = static_cast<std::int64_t>(code.uleb());
      if (stack.has(1)) {
        add(stack.top(), value);
        return true;
      }
      return false;
    }
    case kAnd:
    case kMinus:
    case kPlus:
    case kShl:
    case kGe:
      return stack.combine(opcode);
    default:
      return false;
  }
}

}  // namespace

bool evaluate(ByteReader expression, std::uint64_t pc, const Term* on_stack, Term& result) {
  Stack stack;
  if (on_stack != nullptr) {
    stack.push(*on_stack);
  }
  while (!expression.done()) {
    if (!run_one(stack, expression, pc) || !expression.ok()) {
      return false;
    }
  }
  if (!expression.ok() || !stack.has(1)) {
    return false;
  }
  result = stack.top();
  return true;
}

}  // namespace spyglass::unwind
