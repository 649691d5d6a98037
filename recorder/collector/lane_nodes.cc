// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/lane_nodes.h"

#include <algorithm>

#include "format/record_names.h"
#include "recorder/collector/process_table.h"

namespace spyglass::collector {
namespace {

bool allocates(const format::Node& node) {
  const std::uint64_t address = peek(node.address) & format::kAddressMask;
  const std::uint64_t operation = address & ~format::kTagMask;
  return (address & format::kTagMask) == format::kOperationTag && format::is_operation(operation) &&
         format::operation_info(operation).kind == format::OperationClass::kMemory;
}

}  // namespace

using format::Node;

bool LaneNodes::has_own_id(const Node& node) const {
  return (peek(node.mode) & format::kNodeExcluded) == 0;
}

std::uint32_t LaneNodes::site_of(const LaneView& view, const Node& node, std::uint64_t address) {
  const std::uint64_t rest = address & ~format::kTagMask;
  if ((address & format::kObjectTag) != 0) {
    const auto reference = static_cast<std::uint32_t>(rest);
    return nodes_.site(0, format::kObjectSite | objects_.find(reference, view.process->executable));
  }
  if ((address & format::kOperationTag) != 0) {
    return nodes_.site(0, format::kOperationSite | (rest & 0xffffU));
  }
  if ((address & format::kTruncatedTag) != 0) {
    return nodes_.site(0, format::kTruncatedSiteOffset);
  }
  const ModuleTable::Module module = modules_.find(peek(node.module), view.process->executable);
  const std::uint64_t pc = (address & format::kPcTag) != 0 ? format::kPcSite : 0;
  const std::uint32_t id =
      module.id != 0 || pc == 0
          ? module.id
          : made_code_.module_of(view.process->record.id, view.process->outer_pid, rest);
  return nodes_.site(id, ((rest - module.bias) & ~format::kPcSite) | pc);
}

std::uint32_t LaneNodes::identify(LaneView& view, const Node& node, std::uint32_t parent) {
  const std::uint32_t mode = peek(node.mode);
  if ((mode & format::kNodeExcluded) != 0) {
    return parent;
  }
  if ((mode & format::kNodeOverflow) != 0) {
    return nodes_.node(parent, nodes_.site(0, format::kOverflowSiteOffset));
  }
  return nodes_.node(parent, site_of(view, node, peek(node.address) & format::kAddressMask));
}

std::uint32_t LaneNodes::resolve(LaneView& view, std::uint32_t cell) {
  // A parent is created before its children, so cells only fall on the way up: no cycle can hold
  // us.
  path_.clear();
  std::uint32_t known = 0;
  for (std::uint32_t at = cell; known == 0;) {
    if (at < view.cell_nodes.size() && view.cell_nodes[at] != 0) {
      known = view.cell_nodes[at] & ~LaneView::kCounted;
      break;
    }
    const Node* node = arena_.node(view.index, at);
    if (node == nullptr || at < format::kRootCell + 2) {
      known = path_.empty() ? 0 : format::kRootNode;
      break;
    }
    path_.push_back(at);
    const std::uint32_t parent = peek(node->parent);
    if (parent >= at) {
      known = format::kRootNode;
      break;
    }
    at = parent;
  }
  if (path_.empty()) {
    return known;
  }
  if (view.cell_nodes.size() <= cell) {
    view.cell_nodes.resize(std::max<std::size_t>(cell + 1, view.cell_nodes.size() * 2));
  }
  std::reverse(path_.begin(), path_.end());
  for (const std::uint32_t at : path_) {
    known = identify(view, *arena_.node(view.index, at), known);
    view.cell_nodes[at] = known;
  }
  return known;
}

void LaneNodes::take_new(LaneView& view) {
  if (view.counted.empty()) {
    view.cell_nodes.resize(format::kRootCell + 1);
    view.cell_nodes[format::kRootCell] = format::kRootNode | LaneView::kCounted;
    view.counted.emplace_back();
    view.counted.back().cell = format::kRootCell;
    view.counted.back().node = format::kRootNode;
  }
  // Acquire: pairs with the owner's link, so that the nodes are whole.
  const std::uint32_t newest =
      __atomic_load_n(&arena_.lane(view.index).newest_node, __ATOMIC_ACQUIRE);
  fresh_.clear();
  std::uint32_t cell = newest;
  const std::size_t bound = arena_.geometry().cell_count / 2;
  while (cell != view.newest_seen && fresh_.size() < bound) {
    const Node* node = arena_.node(view.index, cell);
    if (node == nullptr) {
      break;
    }
    fresh_.push_back(cell);
    cell = peek(node->older);
  }
  view.newest_seen = newest;
  std::reverse(fresh_.begin(), fresh_.end());
  for (const std::uint32_t at : fresh_) {
    const std::uint32_t id = find(view, at);
    const bool again =
        at < view.cell_nodes.size() && (view.cell_nodes[at] & LaneView::kCounted) != 0;
    if (id == 0 || again || at >= view.cell_nodes.size()) {
      continue;
    }
    view.cell_nodes[at] |= LaneView::kCounted;
    if (has_own_id(*arena_.node(view.index, at))) {
      view.counted.emplace_back();
      view.counted.back().cell = at;
      view.counted.back().node = id;
      view.counted.back().allocates = allocates(*arena_.node(view.index, at));
    }
  }
}

}  // namespace spyglass::collector
