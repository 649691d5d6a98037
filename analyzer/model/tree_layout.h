// SPDX-License-Identifier: Apache-2.0
// tree_layout.h - recorded nodes merged into the tree of a profile, in its final order.
//
// Nodes of one parent that are calls of one function become one node. What damage cut off from its
// callers hangs under one node of the root. Nodes where nothing was counted are left out, and so
// are frames of this tool and those between a thread's start and its first function. An instruction
// becomes as many nodes as functions are inlined there. Objects are part of their operation's node;
// what was done to each stands apart.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/function_index.h"
#include "analyzer/model/node_table.h"

namespace spyglass::model {

// Of a memory operation, as the heap's replay tells.
struct MemoryCounts {
  std::uint64_t allocations = 0;
  std::uint64_t allocated_bytes = 0;
  std::uint64_t temporary = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t leaked_bytes = 0;
};

struct LaidNode {
  std::uint32_t parent = 0;  // index in the layout; the root has itself
  std::uint32_t function = 0;
  std::uint32_t depth = 0;
  std::uint32_t end = 0;                  // one past its last descendant
  bool overflow = false;                  // holds calls past the tree's bound ...
  bool flat = false;                      // ... as its children, which only folds reach
  bool referred = false;                  // by an event
  std::vector<std::uint32_t> call_lines;  // see TreeNode
  NodeCounts counts;
  MemoryCounts memory;
};

// What was done to one object by an operation's node.
struct LaidUse {
  std::uint32_t node = 0;    // index in the layout
  std::uint32_t object = 0;  // its id; 0: none
  NodeCounts counts;
};

struct Layout {
  std::vector<LaidNode> nodes;
  std::vector<LaidUse> uses;          // by node, then object
  std::vector<std::uint32_t> places;  // by slot of the recorded node: index of its laid one
};

// Depth-first, children by function. Takes the counts out of `nodes`.
Layout lay_out(NodeTable& nodes, const FunctionIndex& functions);

}  // namespace spyglass::model
