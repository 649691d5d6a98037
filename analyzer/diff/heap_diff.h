// SPDX-License-Identifier: Apache-2.0
// heap_diff.h - what grew in memory: by function and by stack.
//
// Rows are matched by what people call them: operation, function, and the names along the stack.
//
//   Where    analyzer.
#pragma once

#include <string>
#include <vector>

#include "analyzer/diff/change.h"
#include "analyzer/model/profile.h"

namespace spyglass {

struct HeapRow {
  std::string operation;
  std::string function;            // who is to be asked why
  std::string short_function;      // without arguments
  std::vector<std::string> stack;  // innermost first, without the operation; of stacks only
  Change allocations;
  Change allocated_bytes;
  Change peak_bytes;
  Change leaked_bytes;

  bool changed() const;
  bool significant() const;  // by more than the error of estimates
};

struct HeapDiff {
  bool known = false;  // either side recorded memory
  // Largest change of the allocated bytes first.
  std::vector<HeapRow> functions;
  std::vector<HeapRow> stacks;
  // Of the whole recordings.
  Change allocations;
  Change allocated_bytes;
  Change peak_bytes;
  Change leaked_bytes;

  bool empty() const;
  bool estimated() const;  // from samples, on either side
};

HeapDiff diff_heaps(const Profile& base, const Profile& now);

}  // namespace spyglass
