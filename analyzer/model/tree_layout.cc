// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/tree_layout.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace spyglass::model {
namespace {

constexpr std::uint32_t kNowhere = IdIndex::kNone;

class Merger {
 public:
  Merger(NodeTable& nodes, const FunctionIndex& functions) : nodes_(nodes), functions_(functions) {
    merged_.emplace_back();
  }

  std::vector<LaidNode> merge() {
    std::vector<std::uint32_t> by_id(nodes_.size());
    std::iota(by_id.begin(), by_id.end(), 0U);
    std::sort(by_id.begin(), by_id.end(), [this](std::uint32_t a, std::uint32_t b) {
      return nodes_[a].id < nodes_[b].id;  // parents first
    });
    std::vector<std::uint32_t> place(nodes_.size(), kNowhere);
    for (const std::uint32_t slot : by_id) {
      place[slot] = find_place(slot, place);
      NodeCounts& target = merged_[place[slot]].counts;
      NodeCounts& source = nodes_[slot].counts;
      if (target.empty() && target.buckets.empty()) {
        target = std::move(source);
      } else {
        target.add(source);
      }
    }
    return std::move(merged_);
  }

 private:
  std::uint32_t find_place(std::uint32_t slot, const std::vector<std::uint32_t>& place) {
    const RecordedNode& node = nodes_[slot];
    if (slot == NodeTable::kRootSlot) {
      return 0;
    }
    if (!node.defined) {
      return child(0, functions_.damaged());
    }
    const std::uint32_t own = child(place[node.parent], functions_.function_of(node.site));
    merged_[own].overflow |= nodes_.is_overflow(slot);
    return own;
  }

  std::uint32_t child(std::uint32_t parent, std::uint32_t function) {
    const std::uint64_t key = std::uint64_t{parent} << 32U | function;
    const auto [entry, added] =
        children_.try_emplace(key, static_cast<std::uint32_t>(merged_.size()));
    if (added) {
      LaidNode node;
      node.parent = parent;
      node.function = function;
      node.flat = merged_[parent].overflow;
      merged_.push_back(std::move(node));
    }
    return entry->second;
  }

  NodeTable& nodes_;
  const FunctionIndex& functions_;
  std::vector<LaidNode> merged_;
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
};

// Whether anything was counted at a node or below. Parents stand before their children.
std::vector<bool> find_active(const std::vector<LaidNode>& merged) {
  std::vector<bool> active(merged.size(), false);
  for (std::size_t i = merged.size(); i-- > 1;) {
    active[i] = active[i] || !merged[i].counts.empty();
    active[merged[i].parent] = active[merged[i].parent] || active[i];
  }
  return active;
}

}  // namespace

std::vector<LaidNode> lay_out(NodeTable& nodes, const FunctionIndex& functions) {
  std::vector<LaidNode> merged = Merger(nodes, functions).merge();
  const std::vector<bool> active = find_active(merged);

  std::vector<std::uint32_t> siblings;  // all but the root, by parent, then function
  for (std::uint32_t i = 1; i < merged.size(); ++i) {
    if (active[i]) {
      siblings.push_back(i);
    }
  }
  std::sort(siblings.begin(), siblings.end(), [&merged](std::uint32_t a, std::uint32_t b) {
    return std::pair(merged[a].parent, merged[a].function) <
           std::pair(merged[b].parent, merged[b].function);
  });
  std::vector<std::uint32_t> first(merged.size() + 1, 0);  // where the children of each begin
  for (const std::uint32_t index : siblings) {
    first[merged[index].parent + 1] += 1;
  }
  std::partial_sum(first.begin(), first.end(), first.begin());

  std::vector<LaidNode> laid;
  laid.reserve(siblings.size() + 1);
  std::vector<std::uint32_t> place(merged.size(), 0);
  std::vector<std::uint32_t> waiting{0};
  while (!waiting.empty()) {
    const std::uint32_t index = waiting.back();
    waiting.pop_back();
    place[index] = static_cast<std::uint32_t>(laid.size());
    for (std::uint32_t i = first[index + 1]; i-- > first[index];) {
      waiting.push_back(siblings[i]);
    }
    laid.push_back(std::move(merged[index]));
    LaidNode& node = laid.back();
    node.parent = place[node.parent];
    node.depth = index == 0 ? 0 : laid[node.parent].depth + 1;
    node.end = place[index] + 1;
  }
  for (std::size_t i = laid.size(); i-- > 1;) {
    laid[laid[i].parent].end = std::max(laid[laid[i].parent].end, laid[i].end);
  }
  return laid;
}

}  // namespace spyglass::model
