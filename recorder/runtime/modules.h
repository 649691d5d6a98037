// SPDX-License-Identifier: Apache-2.0
// modules.h - which ELF file an address belongs to at this moment.
//
// A module is recorded when the first function of it is, from `_dl_find_object` (lock-free, safe in
// signal handlers) and the mapped ELF header. When it goes, its nodes never match again, so another
// library at the same address gets its own. Most modules say that they go while the loader still
// holds their place (__cxa_finalize); dlclose is followed by a look for those that did not.
//
//   Where    target side; node creation and unloading only.
//   Threads  any, also in signal handlers; records are linked with compare-and-swap.
//   Errors   heap full: the function's module is unknown, and counted.
#pragma once

#include <cstdint>

#include "format/arena.h"

namespace spyglass::runtime {

// Heap reference (offset / 64) of the module that holds `address` now; 0: none.
std::uint32_t module_of(std::uint64_t address);

// True if the collector's filters exclude the function at `address`, of the module at `reference`.
// Waits for the collector's verdict on a module that has none yet, a few seconds at most.
bool is_excluded(format::Lane* lane, std::uint32_t reference, std::uint64_t address);

// Marks the recorded module that holds `address`: it is about to be unloaded, by this thread.
void note_unload_at(std::uint64_t address);

// Marks recorded modules that are no longer mapped, after a dlclose.
void note_unloads();

// A module may be about to go: note_unloads() is done before module_of() is asked again.
void expect_unload();

// Writes the path of the file that this library was loaded from. Returns its length, 0 if unknown.
std::size_t own_path(char* out, std::size_t out_bytes);

}  // namespace spyglass::runtime
