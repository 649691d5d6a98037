// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/tree_layout.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <span>
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

  void merge() {
    std::vector<std::uint32_t> by_id(nodes_.size());
    std::iota(by_id.begin(), by_id.end(), 0U);
    std::sort(by_id.begin(), by_id.end(), [this](std::uint32_t a, std::uint32_t b) {
      return nodes_[a].id < nodes_[b].id;  // parents first
    });
    place_.assign(nodes_.size(), kNowhere);
    line_.assign(nodes_.size(), 0);
    hidden_to_root_.assign(nodes_.size(), false);
    for (const std::uint32_t slot : by_id) {
      add(slot);
    }
  }

  std::vector<LaidNode>& merged() { return merged_; }
  const std::vector<std::uint32_t>& places() const { return place_; }
  // By merged node and object; those without an object make up the rest.
  std::map<std::pair<std::uint32_t, std::uint32_t>, NodeCounts>& uses() { return uses_; }

 private:
  void add(std::uint32_t slot) {
    RecordedNode& node = nodes_[slot];
    if (slot == NodeTable::kRootSlot) {
      place_[slot] = 0;
      hidden_to_root_[slot] = true;
      take(node.counts, merged_[0].counts);
      return;
    }
    if (!node.defined) {
      place_[slot] = child(0, functions_.damaged());
      take(node.counts, merged_[place_[slot]].counts);
    } else if (node.role == Role::kObject) {
      add_object(slot);
    } else if (is_hidden(slot)) {
      place_[slot] = place_[node.parent];
      line_[slot] = line_[node.parent];
      hidden_to_root_[slot] = hidden_to_root_[node.parent];
      merged_[place_of_samples(slot)].counts.add_besides_calls(node.counts);
    } else {
      add_chain(slot);
    }
    merged_[place_[slot]].referred |= node.referred;
  }

  // Samples at the outermost frame itself need a name all the same, and what recording takes is not
  // the program's.
  std::uint32_t place_of_samples(std::uint32_t slot) {
    const RecordedNode& node = nodes_[slot];
    if (node.counts.samples == 0) {
      return place_[slot];
    }
    if (functions_.show_of(node.site) == FunctionIndex::Show::kNever) {
      return child(place_[slot], functions_.recording());
    }
    return place_[slot] == 0 ? child(0, functions_.function_of(node.site)) : place_[slot];
  }

  bool is_hidden(std::uint32_t slot) const {
    const RecordedNode& node = nodes_[slot];
    if (node.role != Role::kFrame) {
      return false;
    }
    // Of a stripped program, _start has no name.
    if (node.parent == NodeTable::kRootSlot && node.counts.samples == 0 &&
        functions_.is_unnamed(node.site)) {
      return true;
    }
    const FunctionIndex::Show show = functions_.show_of(node.site);
    return show == FunctionIndex::Show::kNever ||
           (show == FunctionIndex::Show::kNotOutermost && hidden_to_root_[node.parent]);
  }

  void add_object(std::uint32_t slot) {
    RecordedNode& node = nodes_[slot];
    place_[slot] = place_[node.parent];
    merged_[place_[slot]].counts.add_besides_calls(node.counts);
    const std::uint32_t object = nodes_.role_of_site(node.site).number;
    take(node.counts, uses_[{place_[slot], object}]);
  }

  void add_chain(std::uint32_t slot) {
    RecordedNode& node = nodes_[slot];
    std::uint32_t at = place_[node.parent];
    const std::span<const std::uint32_t> chain = functions_.chain_of(node.site);
    std::uint32_t line = line_[node.parent];
    for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
      at = child(at, chain[i]);
      add_call_line(line, merged_[at]);
      line = functions_.line_of(node.site, i);
      merged_[at].counts.wall_ticks += node.counts.wall_ticks;
      merged_[at].counts.estimated_ticks += node.counts.estimated_ticks;
    }
    place_[slot] = child(at, chain.back());
    line_[slot] = functions_.line_of(node.site, chain.size() - 1);
    LaidNode& own = merged_[place_[slot]];
    add_call_line(line, own);
    own.overflow |= nodes_.is_overflow(slot);
    const bool memory = node.wait == static_cast<std::uint8_t>(format::OperationClass::kMemory);
    own.referred |= memory;  // by allocations
    if (node.role == Role::kOperation && !memory) {
      uses_[{place_[slot], 0}].add(node.counts);
    }
    take(node.counts, own.counts);
  }

  static void add_call_line(std::uint32_t line, LaidNode& node) {
    std::vector<std::uint32_t>& lines = node.call_lines;
    const auto place = std::ranges::lower_bound(lines, line);
    if (line != 0 && lines.size() < kMostCallLines && (place == lines.end() || *place != line)) {
      lines.insert(place, line);
    }
  }

  static void take(NodeCounts& source, NodeCounts& target) {
    if (target.empty() && target.buckets.empty()) {
      target = std::move(source);
    } else {
      target.add(source);
    }
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
  std::vector<std::uint32_t> place_;  // by slot: index in merged_
  std::vector<std::uint32_t> line_;   // by slot: of the function at its place, what calls from here
  std::vector<bool> hidden_to_root_;  // by slot: it and all above it are left out
  std::map<std::pair<std::uint32_t, std::uint32_t>, NodeCounts> uses_;
};

// Whether anything was counted at a node or below. Parents stand before their children.
std::vector<bool> find_active(const std::vector<LaidNode>& merged) {
  std::vector<bool> active(merged.size(), false);
  for (std::size_t i = merged.size(); i-- > 1;) {
    active[i] = active[i] || merged[i].referred || !merged[i].counts.empty();
    active[merged[i].parent] = active[merged[i].parent] || active[i];
  }
  return active;
}

void subtract_buckets(const std::vector<format::BucketCount>& part,
                      std::vector<format::BucketCount>& whole) {
  auto bucket = whole.begin();
  for (const format::BucketCount& less : part) {
    while (bucket != whole.end() && bucket->bucket < less.bucket) {
      ++bucket;
    }
    if (bucket != whole.end() && bucket->bucket == less.bucket) {
      bucket->count -= std::min(bucket->count, less.count);
    }
  }
  std::erase_if(whole, [](const format::BucketCount& left) { return left.count == 0; });
}

// An operation's node counts the calls on its objects too; what is left was done to none.
void subtract_calls(const NodeCounts& part, NodeCounts& rest) {
  rest.calls -= std::min(rest.calls, part.calls);
  rest.open_calls -= std::min(rest.open_calls, part.open_calls);
  rest.untimed_calls -= std::min(rest.untimed_calls, part.untimed_calls);
  rest.wall_ticks -= std::min(rest.wall_ticks, part.wall_ticks);
  rest.completed_ticks -= std::min(rest.completed_ticks, part.completed_ticks);
  subtract_buckets(part.buckets, rest.buckets);
}

std::vector<LaidUse> lay_out_uses(
    std::map<std::pair<std::uint32_t, std::uint32_t>, NodeCounts>& uses,
    const std::vector<std::uint32_t>& laid_of) {
  std::vector<LaidUse> laid;
  for (auto& [key, counts] : uses) {
    const auto& [node, object] = key;
    const auto rest = object == 0 ? uses.end() : uses.find({node, 0U});
    if (rest != uses.end()) {
      subtract_calls(counts, rest->second);
    }
  }
  for (auto& [key, counts] : uses) {
    const bool some = counts.calls + counts.open_calls + counts.untimed_calls + counts.bytes +
                          counts.errors + counts.holds !=
                      0;
    if (some && laid_of[key.first] != 0) {
      laid.push_back({laid_of[key.first], key.second, std::move(counts)});
    }
  }
  std::ranges::stable_sort(laid, {},
                           [](const LaidUse& use) { return std::pair(use.node, use.object); });
  return laid;
}

}  // namespace

Layout lay_out(NodeTable& nodes, const FunctionIndex& functions) {
  nodes.time_frames();
  Merger merger(nodes, functions);
  merger.merge();
  std::vector<LaidNode>& merged = merger.merged();
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
  Layout layout;
  layout.uses = lay_out_uses(merger.uses(), place);
  layout.places.resize(nodes.size());
  for (std::uint32_t slot = 0; slot < nodes.size(); ++slot) {
    layout.places[slot] = place[merger.places()[slot]];
  }
  layout.nodes = std::move(laid);
  return layout;
}

}  // namespace spyglass::model
