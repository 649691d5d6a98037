// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/node_table.h"

#include <algorithm>
#include <numeric>

#include "analyzer/model/bucket_list.h"

namespace spyglass::model {
namespace {

// Untimed calls last as long as the timed ones beside them; the latest tell best.
void estimate(const format::CounterRow& row, NodeCounts& counts) {
  counts.untimed_calls += row.untimed_calls;
  const bool by_row = row.calls != 0;
  const std::uint64_t calls = by_row ? row.calls : counts.calls;
  const std::uint64_t ticks = by_row ? row.wall_ticks : counts.completed_ticks;
  if (calls == 0) {
    counts.unestimated_calls += row.untimed_calls;
    return;
  }
  counts.estimated_ticks += static_cast<double>(row.untimed_calls) *
                            (static_cast<double>(ticks) / static_cast<double>(calls));
}

}  // namespace

void NodeCounts::add(const NodeCounts& other) {
  calls += other.calls;
  open_calls += other.open_calls;
  wall_ticks += other.wall_ticks;
  completed_ticks += other.completed_ticks;
  off_cpu_ticks += other.off_cpu_ticks;
  min_ticks = std::min(min_ticks, other.min_ticks);
  max_ticks = std::max(max_ticks, other.max_ticks);
  untimed_calls += other.untimed_calls;
  unestimated_calls += other.unestimated_calls;
  estimated_ticks += other.estimated_ticks;
  fold_in_ticks += other.fold_in_ticks;
  fold_out_ticks += other.fold_out_ticks;
  samples += other.samples;
  bytes += other.bytes;
  errors += other.errors;
  hold_ticks += other.hold_ticks;
  holds += other.holds;
  allocations += other.allocations;
  allocated_bytes += other.allocated_bytes;
  frees += other.frees;
  add_buckets(other.buckets, buckets);
}

void NodeCounts::add_besides_calls(const NodeCounts& other) {
  off_cpu_ticks += other.off_cpu_ticks;
  samples += other.samples;
  bytes += other.bytes;
  errors += other.errors;
}

double NodeCounts::all_estimated_ticks() const {
  return calls == 0 ? estimated_ticks
                    : estimated_ticks +
                          static_cast<double>(unestimated_calls) *
                              (static_cast<double>(completed_ticks) / static_cast<double>(calls));
}

bool NodeCounts::empty() const {
  return (calls | open_calls | untimed_calls | wall_ticks | off_cpu_ticks | fold_in_ticks |
          fold_out_ticks | samples | bytes | errors | holds | allocations | frees) == 0;
}

NodeTable::NodeTable() {
  const std::uint32_t root = add(format::kRootNode);
  nodes_[root].defined = true;
}

std::uint32_t NodeTable::add(std::uint32_t id) {
  const std::uint32_t slot = index_.find_or_add(id, size());
  if (slot == size()) {
    nodes_.emplace_back();
    nodes_.back().id = id;
    nodes_.back().parent = kUndefined;
  }
  return slot;
}

void NodeTable::define(const format::NodeRecord& record) {
  if (record.id <= format::kRootNode || record.parent == 0 || record.parent >= record.id) {
    return;  // the root is known; the rest breaks the format's promise that parents come first
  }
  const std::uint32_t own = slot(record.id);
  const std::uint32_t parent = slot(record.parent);
  nodes_[own].parent = parent;
  nodes_[own].site = record.site;
  nodes_[own].depth = nodes_[parent].depth + 1;
  nodes_[own].defined = true;
  describe(nodes_[own]);
}

void NodeTable::describe(RecordedNode& node) {
  const SiteRole role = role_of_site(node.site);
  const RecordedNode& parent = nodes_[node.parent];
  const bool free_above = node.parent == kRootSlot || parent.framed;
  node.role = role.role;
  node.framed = role.role == Role::kFrame && free_above;
  node.outermost = role.role != Role::kFrame && free_above;
  if (role.role == Role::kOperation && format::is_operation(role.number)) {
    node.wait = static_cast<std::uint8_t>(format::operation_info(role.number).kind);
  } else if (role.role == Role::kObject && parent.role == Role::kOperation) {
    node.wait = parent.wait;
  }
}

void NodeTable::count(const format::MetricRow& row) {
  NodeCounts& counts = nodes_[slot(row.node)].counts;
  switch (row.metric) {
    case format::Metric::kSamples:
      counts.samples += row.value;
      break;
    case format::Metric::kBytes:
      counts.bytes += row.value;
      break;
    case format::Metric::kErrors:
      counts.errors += row.value;
      break;
    case format::Metric::kHoldTicks:
      counts.hold_ticks += row.value;
      break;
    case format::Metric::kHolds:
      counts.holds += row.value;
      break;
    case format::Metric::kAllocations:
      counts.allocations += row.value;
      break;
    case format::Metric::kAllocatedBytes:
      counts.allocated_bytes += row.value;
      break;
    case format::Metric::kFrees:
      counts.frees += row.value;
      break;
  }
}

void NodeTable::time_frames() {
  std::vector<std::uint32_t> by_id(nodes_.size());
  std::iota(by_id.begin(), by_id.end(), 0U);
  std::sort(by_id.begin(), by_id.end(), [this](std::uint32_t a, std::uint32_t b) {
    return nodes_[a].id > nodes_[b].id;  // children first
  });
  for (const std::uint32_t slot : by_id) {
    const RecordedNode& node = nodes_[slot];
    if (!node.defined || node.parent == kUndefined || nodes_[node.parent].role != Role::kFrame) {
      continue;
    }
    NodeCounts& frame = nodes_[node.parent].counts;
    frame.wall_ticks += node.counts.wall_ticks - node.counts.fold_in_ticks;
    frame.estimated_ticks += node.counts.all_estimated_ticks();
  }
}

void NodeTable::count(const format::CounterRow& row, bool times) {
  NodeCounts& counts = nodes_[slot(row.node)].counts;
  counts.off_cpu_ticks += row.off_cpu_ticks;
  counts.fold_in_ticks += row.fold_in_ticks;
  counts.fold_out_ticks += row.fold_out_ticks;
  if (!times) {
    return;
  }
  counts.wall_ticks += row.wall_ticks;
  if (row.calls != 0) {
    counts.calls += row.calls;
    counts.completed_ticks += row.wall_ticks;
  }
  if (row.untimed_calls != 0) {
    estimate(row, counts);
  }
  if (row.calls != 0 || row.max_ticks != 0) {
    counts.min_ticks = std::min(counts.min_ticks, row.min_ticks);
    counts.max_ticks = std::max(counts.max_ticks, row.max_ticks);
  }
  add_buckets(row.buckets, counts.buckets);
}

bool NodeTable::is_below(std::uint32_t inner, std::uint32_t outer) const {
  // Calls that were not timed leave no record of being open, so the caller may be further up.
  if (nodes_[inner].parent != kUndefined && is_overflow(nodes_[inner].parent)) {
    return false;
  }
  std::uint32_t node = inner;
  while (nodes_[node].parent != kUndefined && nodes_[node].depth > nodes_[outer].depth) {
    node = nodes_[node].parent;
    if (node == outer) {
      return true;
    }
  }
  // What damage took cannot be told from a fold; then nothing is moved.
  return !nodes_[inner].defined || !nodes_[outer].defined ||
         (nodes_[node].parent == kUndefined && node != kRootSlot);
}

}  // namespace spyglass::model
