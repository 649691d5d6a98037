// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/context_tree.h"

#include "recorder/runtime/lane.h"
#include "recorder/runtime/modules.h"
#include "recorder/runtime/session.h"

namespace spyglass::runtime {
namespace {

using format::Lane;
using format::Node;

constexpr std::uint32_t kFirstFreeCell = 4;  // 0, 1: none; 2, 3: the root
constexpr std::uint32_t kNodeCells = 2;
constexpr std::uint64_t kFoldDepth = 4096;  // recursion deeper than this folds
// How many siblings are looked at for a child that the lookup table does not know. Past that it
// gets a second node, which readers merge: a search through all files of a `git clone` for each new
// one took half of its time.
constexpr unsigned kSiblings = 1024;
constexpr unsigned kObjectSiblings = 64;
constexpr unsigned kFoldAncestors = 64;  // how far up a fold looks for the same function

// Zeroed cells; 0 when the lane has no room left below `limit`. One instruction takes them, so that
// a signal handler's come after.
std::uint32_t take_cells(Lane* lane, std::uint32_t count, std::uint32_t limit) {
  const std::uint32_t cell = lane->cells_used.fetch_add(count, std::memory_order_relaxed);
  if (cell > limit - count) {
    lane->cells_used.fetch_sub(count, std::memory_order_relaxed);
    return 0;
  }
  auto* words = reinterpret_cast<std::uint64_t*>(node_at(lane, cell));
  for (std::uint32_t i = 0; i < count * 8; ++i) {
    words[i] = 0;  // a lane that was used before holds old values
  }
  return cell;
}

std::uint32_t all_cells() { return g_session.arena->geometry.cell_count; }

// New contexts stop here; the rest is for histograms and for flat nodes of calls past the bound.
std::uint32_t context_cells() { return all_cells() / 8 * 7; }

// The cell that `place` names, taken if it names none; 0: there is none left. A handler that comes
// in between and counts in a cell of its own keeps that one: ours is wasted, not its counts.
std::uint32_t ready_cell(Lane* lane, std::uint32_t& place) {
  std::uint32_t cell = __atomic_load_n(&place, __ATOMIC_RELAXED);
  if (cell == 0) {
    const std::uint32_t fresh = take_cells(lane, 1, all_cells());
    if (__atomic_compare_exchange_n(&place, &cell, fresh, false, __ATOMIC_RELAXED,
                                    __ATOMIC_RELAXED)) {
      cell = fresh;
    }
  }
  return cell;
}

std::uint64_t function_of(const Node* node) { return node->address & ~format::kSpecialBit; }

// The instruction that the node stands for, 0 if it stands for something else.
std::uint64_t code_address(std::uint64_t address) {
  const std::uint64_t tag = address & format::kTagMask;
  return tag == 0 || tag == format::kPcTag ? address & ~format::kTagMask : 0;
}

bool is_child(const Node* node, std::uint32_t parent_cell, std::uint64_t address) {
  return function_of(node) == address && node->parent == parent_cell;
}

Node* find_child(Lane* lane, Node* parent, std::uint64_t address) {
  const std::uint32_t parent_cell = cell_of(lane, parent);
  std::uint32_t* slot = lookup_slot(lane, parent_cell, address);
  if (*slot >= kFirstFreeCell && is_child(node_at(lane, *slot), parent_cell, address)) {
    return node_at(lane, *slot);
  }
  const unsigned limit = (address & format::kObjectTag) != 0 ? kObjectSiblings : kSiblings;
  std::uint32_t cell = parent->first_child;
  for (unsigned steps = 0; cell != 0 && steps < limit; ++steps) {
    Node* node = node_at(lane, cell);
    if (function_of(node) == address) {
      lane->lookup_used = 1;
      *slot = cell;
      return node;
    }
    cell = node->next_sibling;
  }
  return nullptr;
}

// Links a child that may be interrupted by a handler that links another.
void link_child(Lane* lane, Node* parent, Node* node) {
  const std::uint32_t cell = cell_of(lane, node);
  node->parent = cell_of(lane, parent);
  node->next_sibling = __atomic_load_n(&parent->first_child, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(&parent->first_child, &node->next_sibling, cell, true,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
  node->older = __atomic_load_n(&lane->newest_node, __ATOMIC_RELAXED);
  // Release: the collector that follows newest_node sees the node whole.
  while (!__atomic_compare_exchange_n(&lane->newest_node, &node->older, cell, true,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED)) {
  }
}

Node* add_node(Lane* lane, Node* parent, std::uint64_t address, std::uint32_t mode,
               std::uint32_t limit) {
  const std::uint32_t cell = take_cells(lane, kNodeCells, limit);
  if (cell == 0) {
    return nullptr;
  }
  Node* node = node_at(lane, cell);
  node->min_ticks = ~std::uint64_t{0};
  const std::uint64_t code = code_address(address);
  if (code != 0) {
    node->module = module_of(code);
    if (code == address && g_session.arena->options.filters_active != 0 &&
        is_excluded(lane, node->module, address)) {
      mode |= format::kNodeExcluded;
    }
  }
  node->mode.store(mode, std::memory_order_relaxed);
  node->address = mode != 0 ? address | format::kSpecialBit : address;
  link_child(lane, parent, node);
  return node;
}

std::uint64_t open_calls(const Lane* lane) {
  return static_cast<std::uint64_t>(base_of(lane) - top_of(lane));
}

Node* same_function_above(const Lane* lane, Node* node, std::uint64_t address) {
  for (unsigned i = 0; i < kFoldAncestors; ++i) {
    if (function_of(node) == address) {
      return node;
    }
    if (node->parent == 0) {
      return nullptr;
    }
    node = node_at(lane, node->parent);
  }
  return nullptr;
}

}  // namespace

Node* flat_node(Lane* lane, std::uint64_t address) {
  Node* root = node_at(lane, format::kRootCell);
  if (lane->overflow_node == 0) {
    if (Node* node = add_node(lane, root, 0, format::kNodeOverflow, all_cells())) {
      lane->overflow_node = cell_of(lane, node);
    } else {
      return nullptr;
    }
  }
  Node* overflow = node_at(lane, lane->overflow_node);
  Node* node = find_child(lane, overflow, address);
  return node != nullptr ? node : add_node(lane, overflow, address, 0, all_cells());
}

Node* find_tagged(Lane* lane, Node* parent, std::uint64_t address) {
  if (Node* child = find_child(lane, parent, address)) {
    return child;
  }
  if (lane->tree_full != 0) {
    return nullptr;
  }
  Node* node = add_node(lane, parent, address, 0, context_cells());
  lane->tree_full = node == nullptr ? 1 : 0;
  return node;
}

Node* tagged_child(Lane* lane, Node* parent, std::uint64_t address) {
  Node* child = find_tagged(lane, parent, address);
  return child != nullptr ? child : flat_node(lane, address);
}

CallTarget find_target(Lane* lane, Node* parent, std::uint64_t address) {
  if (Node* child = find_child(lane, parent, address)) {
    return {child, 0};
  }
  const std::uint32_t max_depth = g_session.arena->options.max_depth;
  const std::uint64_t depth = open_calls(lane);
  if (max_depth != 0 && depth >= max_depth) {
    return {parent, format::kEntryUncounted | format::kEntryPastDepth};
  }
  Node* ancestor = nullptr;
  if (lane->tree_full != 0 || depth >= kFoldDepth) {
    ancestor = same_function_above(lane, parent, address);
  }
  if (ancestor == nullptr && lane->tree_full == 0) {
    if (Node* node = add_node(lane, parent, address, 0, context_cells())) {
      return {node, 0};
    }
    lane->tree_full = 1;
    ancestor = same_function_above(lane, parent, address);
  }
  if (ancestor == nullptr) {
    ancestor = flat_node(lane, address);
  }
  if (ancestor == nullptr) {
    lane->deep_calls_lost += 1;
    return {parent, format::kEntryUncounted | format::kEntryPastDepth};
  }
  lane->folded_calls += 1;
  return {ancestor, format::kEntryFolded};
}

format::HistogramCell* histogram_cell(Lane* lane, Node* node, unsigned bucket) {
  const std::uint32_t group = ready_cell(lane, node->histogram[bucket / format::kBucketsPerGroup]);
  return group == 0 ? nullptr : reinterpret_cast<format::HistogramCell*>(node_at(lane, group));
}

format::NodeExtension* extension_of(Lane* lane, Node* node) {
  const std::uint32_t cell = ready_cell(lane, node->extension);
  return cell == 0 ? nullptr : reinterpret_cast<format::NodeExtension*>(node_at(lane, cell));
}

void plant_root(Lane* lane) {
  auto* words = reinterpret_cast<std::uint64_t*>(node_at(lane, 0));
  for (std::uint32_t i = 0; i < kFirstFreeCell * 8; ++i) {
    words[i] = 0;
  }
  if (lane->lookup_used != 0) {
    auto* table = reinterpret_cast<std::uint32_t*>(reinterpret_cast<std::uint64_t>(lane) +
                                                   format::kLookupDistance);
    for (std::uint32_t i = 0; i < format::kLookupEntries; ++i) {
      table[i] = 0;
    }
    lane->lookup_used = 0;
  }
  node_at(lane, format::kRootCell)->min_ticks = ~std::uint64_t{0};
  lane->cells_used.store(kFirstFreeCell, std::memory_order_relaxed);
  lane->newest_node = 0;
  lane->tree_full = 0;
  lane->overflow_node = 0;
}

void retire_nodes_of(std::uint32_t module) {
  const std::uint32_t lanes = g_session.arena->lanes_used.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < lanes && i < g_session.lane_limit; ++i) {
    Lane* lane = lane_at(i);
    const format::LaneState state = lane->state.load(std::memory_order_acquire);
    if (state < format::LaneState::kLive || lane->process_slot != g_session.process_slot) {
      continue;
    }
    std::uint32_t cell = __atomic_load_n(&lane->newest_node, __ATOMIC_ACQUIRE);
    for (; cell != 0; cell = node_at(lane, cell)->older) {
      Node* node = node_at(lane, cell);
      if (node->module == module) {
        __atomic_fetch_or(&node->address, format::kRetiredBit, __ATOMIC_RELAXED);
      }
    }
  }
}

}  // namespace spyglass::runtime
