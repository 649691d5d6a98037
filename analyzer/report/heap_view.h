// SPDX-License-Identifier: Apache-2.0
// heap_view.h - memory by who asked for it: what text, JSON and diff show of Profile::heap.
//
//   Where    report and diff.
//   Memory   proportional to the stacks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

// Indices into Heap::stacks, the largest by `amount` first; those without any are left out.
std::vector<std::uint32_t> heap_order(const Heap& heap,
                                      const std::function<std::uint64_t(const HeapStack&)>& amount);

// Stacks of one operation and function added up, most bytes first. What is suppressed counts as no
// leak. Of HeapStack, only what the tables show is filled in.
struct HeapFunctionRow {
  HeapStack sum;
  std::string function;  // who is to be asked why
};
// Requires: Profile::heap.
std::vector<HeapFunctionRow> heap_function_rows(const Profile& profile, bool full_names);

// The moment when most was resident, and how much of that the heap and mappings explain.
struct Fragmentation {
  double at_ns = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t live_bytes = 0;    // of the heap
  std::uint64_t mapped_bytes = 0;  // by the program itself
  std::uint64_t unused_bytes = 0;  // resident, but neither: code, stacks, freed and not given back
  double mean_share = 0;           // of resident memory that is live heap, over time
  bool known = false;              // resident memory was recorded
};
Fragmentation fragmentation_of(const Heap& heap);

// "malloc", "operator new[]"; "?" where damage took it.
std::string_view operation_name(const Profile& profile, std::uint32_t node);
bool is_memory_operation(const Function& function);
// Known from stacks of memory operations only: no row of a table of times.
bool is_untimed(const Profile& profile, const Function& function);

}  // namespace spyglass
