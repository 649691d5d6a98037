// SPDX-License-Identifier: Apache-2.0
// heap.h - what a recording says of memory: who allocated, what made the peak, what was never
// freed.
//
// With MemoryMode::kSample counts and bytes are unbiased estimates; `*_error` is the standard error
// of each, 0 where everything was recorded. Memory that the program itself mapped is a second kind,
// in no other figure than those named after it.
//
//   Where    analyzer, as a part of Profile.
//   Memory   proportional to the nodes that allocated, to threads and processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/model/histogram.h"
#include "format/operation.h"

namespace spyglass {

// What one operation allocated in one context.
struct HeapStack {
  std::uint32_t node = 0;  // of the operation; 0: damage took it
  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t frees = 0;          // of these allocations, wherever that was done
  std::uint64_t reallocations = 0;  // of the allocations, by giving another block up
  std::uint64_t moved_bytes = 0;    // copied by those
  std::uint32_t longest_chain = 0;  // of reallocations of one block
  std::uint64_t temporary = 0;      // freed with at most one other allocation in between
  std::uint64_t peak_bytes = 0;     // when all of the heap was at its highest
  std::uint64_t peak_allocations = 0;
  std::uint64_t own_peak_bytes = 0;  // when this stack's part of it was
  std::uint64_t live_bytes = 0;      // at the moment asked for, else when the process ended
  std::uint64_t live_allocations = 0;
  std::uint64_t leaked_bytes = 0;  // not freed when the process ended
  std::uint64_t leaked_allocations = 0;
  std::uint32_t suppression = 0;  // 1 + index into Heap::suppressions; 0: none
  double allocations_error = 0;
  double allocated_bytes_error = 0;
  double leaked_bytes_error = 0;
  double peak_bytes_error = 0;
  Histogram sizes;
  Histogram lifetimes;  // of those that were freed
};

// What one operation mapped in one context.
struct MapStack {
  std::uint32_t node = 0;
  std::uint64_t maps = 0;
  std::uint64_t mapped_bytes = 0;
  std::uint64_t own_peak_bytes = 0;
  std::uint64_t live_bytes = 0;
};

struct ProcessHeap {
  std::uint32_t process = 0;  // id
  std::uint32_t pid = 0;
  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t frees = 0;
  std::uint64_t peak_bytes = 0;
  double peak_at_ns = 0;
  std::uint64_t leaked_bytes = 0;  // suppressed ones left out
  std::uint64_t leaked_allocations = 0;
  std::uint64_t suppressed_bytes = 0;
  std::uint64_t suppressed_allocations = 0;
};

struct ThreadHeap {
  std::uint32_t thread = 0;  // id
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t frees = 0;
  std::uint64_t frees_of_others = 0;  // of blocks that another thread allocated
};

// One step of time, up to `at_ns`.
struct HeapMoment {
  double at_ns = 0;
  std::uint64_t allocations = 0;  // within the step
  std::uint64_t allocated_bytes = 0;
  std::uint64_t live_bytes = 0;  // at its end
  std::uint64_t mapped_bytes = 0;
  std::uint64_t resident_bytes = 0;
  bool resident_known = false;
};

struct Suppression {
  std::string pattern;
  bool by_design = false;  // one of ours: what runtimes keep until the end
  std::uint64_t bytes = 0;
  std::uint64_t allocations = 0;
};

struct Heap {
  format::MemoryMode mode = format::MemoryMode::kFull;
  std::uint64_t sample_bytes = 0;
  // No record is missing. Otherwise allocations and bytes are still exact (MemoryMode::kFull), but
  // not what takes an allocation and its free to know.
  bool exact = false;
  std::uint64_t lost_records = 0;

  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t frees = 0;
  std::uint64_t reallocations = 0;
  std::uint64_t moved_bytes = 0;
  std::uint32_t longest_chain = 0;
  std::uint64_t failed = 0;
  std::uint64_t temporary = 0;
  std::uint64_t unmatched_frees = 0;  // of what nobody saw allocated ...
  std::uint64_t inherited_frees = 0;  // ... of these, in forked processes: of their parents' blocks
  std::uint64_t late_frees = 0;       // their addresses were given out again a moment before
  std::uint64_t peak_bytes = 0;
  std::uint64_t peak_allocations = 0;
  double peak_at_ns = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t live_allocations = 0;
  double live_at_ns = -1;  // the moment asked for; negative: when each process ended
  std::uint64_t leaked_bytes = 0;
  std::uint64_t leaked_allocations = 0;
  std::uint64_t suppressed_bytes = 0;
  std::uint64_t suppressed_allocations = 0;
  std::uint64_t execed_bytes = 0;  // that processes had when they executed another program
  std::uint64_t maps = 0;
  std::uint64_t mapped_bytes = 0;
  std::uint64_t mapped_peak_bytes = 0;
  std::uint64_t mapped_live_bytes = 0;
  double allocations_error = 0;
  double allocated_bytes_error = 0;
  double peak_bytes_error = 0;
  double leaked_bytes_error = 0;
  Histogram sizes;
  Histogram lifetimes;

  std::vector<HeapStack> stacks;  // by node
  std::vector<MapStack> map_stacks;
  std::vector<ProcessHeap> processes;
  std::vector<ThreadHeap> threads;
  std::vector<HeapMoment> timeline;
  std::vector<Suppression> suppressions;  // that matched
};

}  // namespace spyglass
