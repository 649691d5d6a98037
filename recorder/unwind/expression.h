// SPDX-License-Identifier: Apache-2.0
// expression.h - what a DWARF expression of an unwinding rule comes to, as far as a Rule can say
// it.
//
// The values of rsp and rbp are not known here, so the result is a term of them. The instruction's
// address is known: what procedure linkage tables compute from it comes out as a plain offset.
#pragma once

#include <cstdint>

#include "recorder/unwind/byte_reader.h"

namespace spyglass::unwind {

enum class Base : std::uint8_t { kNumber, kRsp, kRbp, kCfa };

// base + offset, or [base + offset] + after.
struct Term {
  Base base;
  bool deref;
  std::int64_t offset;
  std::int64_t after;
};

// False if the expression needs more than that. `on_stack`: pushed first if not null.
bool evaluate(ByteReader expression, std::uint64_t pc, const Term* on_stack, Term& result);

}  // namespace spyglass::unwind
