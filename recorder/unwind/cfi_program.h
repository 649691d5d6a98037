// SPDX-License-Identifier: Apache-2.0
// cfi_program.h - runs the call frame instructions of a CIE and an FDE up to one address.
//
//   Errors   an instruction that we don't know, a register that a Rule can't name: kUnknown.
#pragma once

#include <cstdint>

#include "recorder/unwind/byte_reader.h"
#include "recorder/unwind/rule.h"

namespace spyglass::unwind {

// One function's entry in .eh_frame.
struct FrameEntry {
  ByteReader first_instructions;  // of the CIE
  ByteReader instructions;        // of the FDE
  std::uint64_t code_factor;
  std::int64_t data_factor;
  std::uint64_t begin;  // the function is at [begin, end)
  std::uint64_t end;
  std::uint64_t data_address;
  std::uint8_t pointer_encoding;
  bool signal_frame;
};

Rule run_program(const FrameEntry& entry, std::uint64_t pc);

}  // namespace spyglass::unwind
