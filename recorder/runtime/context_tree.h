// SPDX-License-Identifier: Apache-2.0
// context_tree.h - the calling-context tree of one lane.
//
// Interrupted by a signal at any instruction it stays a tree: cells are taken with one instruction,
// children linked with compare-and-swap; at worst a handler's node exists twice, which readers
// merge.
//
//   Where    target side; the slow way of hooks.
//   Threads  the lane's owner.
//   Memory   cells of the lane; bounded. Past the bound, calls fold (see format::NodeExtension).
#pragma once

#include <cstdint>

#include "format/arena.h"

namespace spyglass::runtime {

// Where a call of `address` from `parent` is counted.
struct CallTarget {
  format::Node* node;
  std::uint64_t flags;  // kEntryFolded, kEntryUncounted or 0
};
CallTarget find_target(format::Lane* lane, format::Node* parent, std::uint64_t address);

// The child of `parent` that carries a tag (format::kTagMask): a frame, an operation, an object or
// the mark of a truncated stack. Null past the tree's bound.
format::Node* find_tagged(format::Lane* lane, format::Node* parent, std::uint64_t address);

// Where calls of `address` are counted past the bound: one node, whatever the path. Null when the
// lane has no cell left at all.
format::Node* flat_node(format::Lane* lane, std::uint64_t address);

// find_tagged(); past the bound, flat_node().
format::Node* tagged_child(format::Lane* lane, format::Node* parent, std::uint64_t address);

// The cells that hold bucket `bucket` of `node`; null when the lane has no cell left.
format::HistogramCell* histogram_cell(format::Lane* lane, format::Node* node, unsigned bucket);

// Null when the lane has no cell left.
format::NodeExtension* extension_of(format::Lane* lane, format::Node* node);

// Empties the lane and creates its root.
void plant_root(format::Lane* lane);

// Turns every node of `module`, in any lane of this process, into one that matches no call.
void retire_nodes_of(std::uint32_t module);

}  // namespace spyglass::runtime
