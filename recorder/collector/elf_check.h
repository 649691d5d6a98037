// SPDX-License-Identifier: Apache-2.0
// elf_check.h - finds the program and tells, before it runs, whether it can be recorded.
//
//   Errors   the kernel has the last word: what is unreadable here may still run.
#pragma once

#include <string>

namespace spyglass::collector {

enum class ProgramKind {
  kRecordable,
  kStatic,  // no dynamic loader: nothing can be put into it
  k32Bit,
  kForeign,  // for another machine
  kSetuid,   // the loader ignores LD_PRELOAD
  kUnknown,  // could not be read
};

struct FoundProgram {
  std::string path;         // empty: not found
  bool executable = false;  // false with a path: found, but may not be run
};

// As execvp looks for `name`, with the value of PATH.
FoundProgram find_program(const std::string& name, const char* search_path);

// Looks at the ELF header; for a script, at its interpreter's.
ProgramKind check_program(const std::string& path);

// Why nothing can be recorded, to go after the program's name; empty for kRecordable and kUnknown.
std::string why_unrecordable(ProgramKind kind);

}  // namespace spyglass::collector
