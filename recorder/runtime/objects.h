// SPDX-License-Identifier: Apache-2.0
// objects.h - the objects that this process has met, in a private table; find_object() is in
// operation.h.
//
// The records lie in the session's heap, so a reference means the same in every process, and a
// forked child goes on with its parent's table.
//
//   Where    target side; async-signal-safe, lock-free.
//   Memory   bounded: past the bounds files are known by their folder, then not at all.
#pragma once

#include <cstdint>

namespace spyglass::runtime {

// The file called `path`, as the program names it. Reads the string: it must be readable.
std::uint32_t find_file(const char* path, std::uint64_t pc);

}  // namespace spyglass::runtime
