// SPDX-License-Identifier: Apache-2.0
// node_table.h - the recorded nodes and what was counted at each, in ticks, while blocks pass by.
//
//   Memory   proportional to nodes.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "analyzer/model/id_index.h"
#include "analyzer/model/site_role.h"
#include "format/records.h"

namespace spyglass::model {

// Sums over threads and snapshots. Ticks are differences of unsigned numbers that may wrap on the
// way.
struct NodeCounts {
  std::uint64_t calls = 0;       // completed and timed
  std::uint64_t open_calls = 0;  // not inherited ones
  std::uint64_t wall_ticks = 0;  // completed calls, and the open part of others
  std::uint64_t completed_ticks = 0;
  std::uint64_t off_cpu_ticks = 0;
  std::uint64_t min_ticks = ~std::uint64_t{0};
  std::uint64_t max_ticks = 0;
  std::uint64_t untimed_calls = 0;
  std::uint64_t unestimated_calls = 0;  // untimed before the node had a mean to go by
  double estimated_ticks = 0;           // time of the other untimed calls
  std::uint64_t fold_in_ticks = 0;
  std::uint64_t fold_out_ticks = 0;
  std::uint64_t samples = 0;
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  std::uint64_t hold_ticks = 0;
  std::uint64_t holds = 0;
  std::uint64_t allocations = 0;  // of memory operations
  std::uint64_t allocated_bytes = 0;
  std::uint64_t frees = 0;
  std::uint32_t fine_histogram = 0;  // index + 1 in SpanHistograms
  std::vector<format::BucketCount> buckets;

  void add(const NodeCounts& other);
  // Of `other`, all but its calls and their times: those are known elsewhere.
  void add_besides_calls(const NodeCounts& other);
  bool empty() const;
  double all_estimated_ticks() const;  // of untimed calls
};

struct RecordedNode {
  std::uint32_t id = 0;
  std::uint32_t parent = 0;  // slot; kUndefined
  std::uint32_t site = 0;
  std::uint32_t depth = 0;  // of the root 0
  bool defined = false;
  Role role = Role::kFunction;
  bool framed = false;          // it and all above it are frames
  bool outermost = false;       // no timed call above it
  bool referred = false;        // by an event: kept even if nothing was counted
  std::uint8_t wait = kNoWait;  // OperationClass of the operation that time off the CPU belongs to
  NodeCounts counts;

  static constexpr std::uint8_t kNoWait = 255;
};

class NodeTable {
 public:
  static constexpr std::uint32_t kUndefined = IdIndex::kNone;
  static constexpr std::uint32_t kRootSlot = 0;

  NodeTable();

  void define(const format::NodeRecord& record);
  // Nodes of `site` hold calls past the tree's bound; those below it are always reached by folds.
  void set_overflow_site(std::uint32_t site) { overflow_sites_.insert(site); }
  // Requires: before nodes of that site are defined.
  void set_role(std::uint32_t site, const SiteRole& role) { roles_[site] = role; }
  SiteRole role_of_site(std::uint32_t site) const {
    const auto found = roles_.find(site);
    return found == roles_.end() ? SiteRole{} : found->second;
  }
  bool is_overflow(std::uint32_t slot) const {
    return nodes_[slot].defined && overflow_sites_.contains(nodes_[slot].site);
  }
  std::uint32_t slot(std::uint32_t id) {
    const std::uint32_t known = index_.find(id);
    return known != IdIndex::kNone ? known : add(id);
  }
  // kUndefined if there is none.
  std::uint32_t find(std::uint32_t id) const { return index_.find(id); }
  RecordedNode& operator[](std::uint32_t slot) { return nodes_[slot]; }
  const RecordedNode& operator[](std::uint32_t slot) const { return nodes_[slot]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(nodes_.size()); }

  void count(const format::CounterRow& row, bool times);
  void count(const format::MetricRow& row);
  // Frames take as long as the calls below them. After all rows.
  void time_frames();
  // Whether a call at `inner` that was made from `outer` stands at a node of its own path, rather
  // than having been folded.
  bool is_below(std::uint32_t inner, std::uint32_t outer) const;

 private:
  std::uint32_t add(std::uint32_t id);
  void describe(RecordedNode& node);

  IdIndex index_;
  std::vector<RecordedNode> nodes_;
  std::unordered_set<std::uint32_t> overflow_sites_;
  std::unordered_map<std::uint32_t, SiteRole> roles_;  // of sites that are no functions
};

}  // namespace spyglass::model
