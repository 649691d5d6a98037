// SPDX-License-Identifier: Apache-2.0
// lane_nodes.h - from cells of a lane to the session's nodes.
//
// A node that a filter excludes takes its parent's id: its children then hang under the parent, and
// its time is the parent's own.
//
//   Where    collector thread.
//   Errors   cells that make no sense (hostile target) are id 0 or children of the root.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/lane_view.h"
#include "recorder/collector/made_code.h"
#include "recorder/collector/module_table.h"
#include "recorder/collector/object_table.h"

namespace spyglass::collector {

class LaneNodes {
 public:
  LaneNodes(const Arena& arena, NodeInterner& nodes, ModuleTable& modules, ObjectTable& objects)
      : arena_(arena), nodes_(nodes), modules_(modules), objects_(objects), made_code_(nodes) {}

  // Id of the node at `cell`; 0: there can be none.
  std::uint32_t find(LaneView& view, std::uint32_t cell) {
    const std::uint32_t known = cell < view.cell_nodes.size() ? view.cell_nodes[cell] : 0;
    return known != 0 ? known & ~LaneView::kCounted : resolve(view, cell);
  }

  // Adds the nodes that were created since the last call to view.counted.
  void take_new(LaneView& view);

 private:
  std::uint32_t resolve(LaneView& view, std::uint32_t cell);
  std::uint32_t identify(LaneView& view, const format::Node& node, std::uint32_t parent);
  std::uint32_t site_of(const LaneView& view, const format::Node& node, std::uint64_t address);
  bool has_own_id(const format::Node& node) const;

  const Arena& arena_;
  NodeInterner& nodes_;
  ModuleTable& modules_;
  ObjectTable& objects_;
  MadeCode made_code_;
  std::vector<std::uint32_t> path_;
  std::vector<std::uint32_t> fresh_;
};

}  // namespace spyglass::collector
