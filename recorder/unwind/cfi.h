// SPDX-License-Identifier: Apache-2.0
// cfi.h - the unwinding rule of an instruction, from an ELF file's .eh_frame_hdr and .eh_frame.
//
//   const Tables tables = tables_of(file, file_end, Layout::kFile);
//   const Rule rule = find_rule(tables, pc - bias);
//
//   Where    target side and collector; no allocation, no libc, async-signal-safe.
//   Threads  any: pure functions.
//   Memory   reads the image given, never beyond its bounds. It must stay mapped meanwhile.
//   Errors   the image is hostile: whatever is wrong or beyond our means makes kUnknown. Time is
//            bounded.
#pragma once

#include <cstdint>

#include "recorder/unwind/rule.h"

namespace spyglass::unwind {

// Bytes that we can read at [begin, end), and the address that the ELF file's own references mean
// by `begin`.
struct View {
  const std::uint8_t* begin;
  const std::uint8_t* end;
  std::uint64_t address;
};

// Addresses in both are of one kind: link-time in a file, run-time in a mapped image.
struct Tables {
  View header;  // .eh_frame_hdr; empty: none
  View frames;  // a part of the image that holds .eh_frame; may reach further on both sides

  bool empty() const { return header.begin == header.end; }
};

enum class Layout {
  kFile,    // bytes lie as in the file; addresses are link-time addresses
  kMapped,  // bytes lie as the loader maps segments; addresses are run-time addresses
};

// The tables of the ELF image at [begin, end), by its program headers; empty if there are none.
// With kMapped the whole range need not be readable, only the loaded segments.
Tables tables_of(const std::uint8_t* begin, const std::uint8_t* end, Layout layout);

// `pc`: an address of the tables' kind, inside the instruction (for callers: return address - 1).
// Finds kUnknown where no table entry covers pc.
Rule find_rule(const Tables& tables, std::uint64_t pc);

// Whether a table entry covers pc at all, whatever its rule.
bool has_entry(const Tables& tables, std::uint64_t pc);

// Where the code that this entry covers begins: a function, or a part that was split off; 0: none.
std::uint64_t entry_begin(const Tables& tables, std::uint64_t pc);

}  // namespace spyglass::unwind
