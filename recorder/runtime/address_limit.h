// SPDX-License-Identifier: Apache-2.0
// address_limit.h - keeps what the arena takes of the address space out of the program's limit
// (RLIMIT_AS).
//
// The arena's mapping counts, though hardly any of it is ever used. So the kernel's limit is the
// program's plus that, and the program is told its own.
//
//   Where    target side; set-up and the rare calls that read or set limits.
//   Threads  any; like the kernel, the last one to set a limit wins.
//   Errors   a limit that may not be raised stays: then less of the arena is mapped.
#pragma once

#include <cstdint>

namespace spyglass::runtime {

// As the kernel has it (struct rlimit64). ~0: no limit.
struct AddressLimit {
  std::uint64_t soft;
  std::uint64_t hard;
};

// Before `bytes` are mapped: makes room for them under the limit. Returns how many may be mapped.
std::uint64_t make_room_under_limit(std::uint64_t bytes);

// The kernel's limit for one that the program sets; whether the kernel took it that way is to be
// told.
AddressLimit limit_for_kernel(const AddressLimit& limit);
void note_limit(bool raised);
// The program's for one that the kernel tells.
AddressLimit limit_for_program(const AddressLimit& limit);

}  // namespace spyglass::runtime
