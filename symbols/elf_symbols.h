// SPDX-License-Identifier: Apache-2.0
// elf_symbols.h - offsets in one ELF file to functions, files and lines. The one use of elfutils.
//
// Used by the collector when it closes a recording and by the analyzer for recordings that carry no
// names. Files are hostile: a damaged one yields fewer names, never a crash.
//
//   Where    outside the target. One ElfSymbols belongs to one thread.
//   Errors   open fails when the file is missing, is no ELF file or has another build-id.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/records.h"
#include "format/result.h"

namespace spyglass {

struct FunctionRange {
  std::uint64_t start = 0;  // as in the ELF file (no load bias)
  std::uint64_t end = 0;
  std::string name;  // mangled
};

class ElfSymbols {
 public:
  // Opens `path` ("[vdso]": that of this process) and, if found by build-id or debuglink, its
  // separate debug file. An empty expected_build_id accepts any file.
  static Result<ElfSymbols> open(const std::string& path,
                                 std::span<const std::uint8_t> expected_build_id);

  ElfSymbols(ElfSymbols&&) noexcept;
  ElfSymbols& operator=(ElfSymbols&&) noexcept;
  ~ElfSymbols();

  // The function that begins at (or contains) `offset`: its symbol, and the file and line of its
  // declaration in DWARF, not those of code inlined into its first instruction.
  std::optional<format::FrameInfo> function_at(std::uint64_t offset);

  // The functions at the instruction `offset`, the innermost inlined one first, each with its
  // declaration and the line that runs or calls. Fastest in ascending order.
  std::vector<format::FrameInfo> frames_at(std::uint64_t offset);

  // The variable at `offset`: "name" or "name+0x10".
  std::optional<format::FrameInfo> variable_at(std::uint64_t offset);

  // Every function symbol, by start, for filters.
  const std::vector<FunctionRange>& functions();

 private:
  struct State;
  explicit ElfSymbols(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Readable name: C++ and Rust demangled; anything else as it is. Bounded in time and size.
std::string demangle(const std::string& symbol);

// `std::vector<int, std::allocator<int> >::push_back(int const&)` -> `std::vector<int>::push_back`:
// template arguments shortened, parameters dropped. Input is a demangled name.
std::string short_name(const std::string& demangled);

}  // namespace spyglass
