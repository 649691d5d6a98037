// SPDX-License-Identifier: Apache-2.0
// elf_file.h - an open ELF file, its sections and symbol tables. The one use of libelf here.
//
//   Where    elf_symbols.cc.
//   Errors   open fails when the file is missing or no ELF file; the rest finds less in a damaged
//   one.
#pragma once

#include <gelf.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "format/result.h"
#include "symbols/function_table.h"

namespace spyglass {

struct ElfFile {
  int descriptor = -1;
  Elf* elf = nullptr;

  ElfFile() = default;
  ElfFile(ElfFile&& other) noexcept
      : descriptor(std::exchange(other.descriptor, -1)), elf(std::exchange(other.elf, nullptr)) {}
  ElfFile& operator=(ElfFile&& other) noexcept {
    std::swap(descriptor, other.descriptor);
    std::swap(elf, other.elf);
    return *this;
  }
  ~ElfFile() {
    if (elf != nullptr) {
      elf_end(elf);
    }
    if (descriptor >= 0) {
      close(descriptor);
    }
  }
};

// The kernel's code that is mapped into every process, which is in no file.
Result<ElfFile> open_vdso();
Result<ElfFile> open_elf(const std::string& path);

// The first with that name or, without one, of that type; null if the file does not hold it.
Elf_Scn* find_section(Elf* elf, std::uint32_t type, const char* name);
bool has_debug_info(Elf* elf);

enum class SymbolSort { kFunctions, kVariables };

// Appends the functions or variables of the symbol table of `type`.
void read_symbols(Elf* elf, std::uint32_t type, SymbolSort sort, std::vector<FunctionSymbol>& out);
// "memcpy" of "memcpy@@GLIBC_2.14", as separate debug files have it.
std::string unversioned(const char* name);

}  // namespace spyglass
