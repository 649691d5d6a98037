// SPDX-License-Identifier: Apache-2.0
// tree_view.h - the call tree as people read it: recursion folded, callers or callees of a
// function.
//
// Folding: a call whose function is already above it, at most 64 lines up, counts at that line, so
// a recursion 10^6 deep is one line. Such a line knows how many levels it stands for. Calls and
// self times are those of all levels; totals are of outermost calls.
//
//   Where    report.
//   Memory   proportional to the nodes of the view.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/report/weight.h"

namespace spyglass {

struct ViewNode {
  std::uint32_t function = 0;  // index; meaningless for the root
  std::uint32_t parent = 0;    // index; the root (index 0) has itself
  std::uint32_t depth = 0;
  std::uint32_t levels = 1;  // of recursion that are folded into this line
  std::uint64_t calls = 0;
  std::uint64_t untimed_calls = 0;
  double wall_total_ns = 0;
  double wall_self_ns = 0;
  double cpu_total_ns = 0;
  double cpu_self_ns = 0;
  Tally samples;
  double total = 0;                     // of the view's weight
  double self = 0;                      // likewise
  std::vector<std::uint32_t> children;  // largest weight first
};

struct TreeView {
  std::vector<ViewNode> nodes;  // parents before children
};

// Children of each node, in node order, without an allocation per node.
class ChildIndex {
 public:
  explicit ChildIndex(const std::vector<TreeNode>& nodes);
  const std::uint32_t* begin(std::uint32_t node) const { return children_.data() + first_[node]; }
  const std::uint32_t* end(std::uint32_t node) const { return children_.data() + first_[node + 1]; }

 private:
  std::vector<std::uint32_t> first_;
  std::vector<std::uint32_t> children_;
};

// Visits all nodes but the root depth first: enter(index) before, leave(index) after what is below.
template <typename Enter, typename Leave>
void walk_tree(const std::vector<TreeNode>& nodes, const ChildIndex& children, Enter enter,
               Leave leave);

TreeView call_tree_view(const Profile& profile, Weight weight = Weight::kWall);
// What `function` calls: below one line that stands for it, wherever it was called from.
TreeView callees_view(const Profile& profile, std::uint32_t function,
                      Weight weight = Weight::kWall);
// Who calls `function`: below it its callers, theirs, and so on for `levels`. Calls and times are
// those of `function` when called that way.
TreeView callers_view(const Profile& profile, std::uint32_t function, unsigned levels,
                      Weight weight = Weight::kWall);

template <typename Enter, typename Leave>
void walk_tree(const std::vector<TreeNode>& nodes, const ChildIndex& children, Enter enter,
               Leave leave) {
  if (nodes.empty()) return;
  struct Step {
    std::uint32_t node;
    const std::uint32_t* next;
  };
  std::vector<Step> path = {{0, children.begin(0)}};
  while (!path.empty()) {
    Step& top = path.back();
    if (top.next == children.end(top.node)) {
      if (top.node != 0) leave(top.node);
      path.pop_back();
      continue;
    }
    const std::uint32_t child = *top.next++;
    enter(child);
    path.push_back({child, children.begin(child)});
  }
}

}  // namespace spyglass
