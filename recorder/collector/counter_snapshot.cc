// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/counter_snapshot.h"

#include <utility>

#include "format/record_names.h"
#include "recorder/collector/overhead_budget.h"
#include "recorder/collector/recording.h"

namespace spyglass::collector {
namespace {

using format::CounterRow;
using format::Entry;
using format::Node;

// What was added since `seen`, which becomes `now`. Counters never fall in an honest target.
std::uint64_t advance(std::uint64_t& seen, std::uint64_t now) {
  const std::uint64_t difference = now > seen ? now - seen : 0;
  seen = now;
  return difference;
}

// Operations that may take a while on the CPU are not among them.
bool waits(std::uint64_t address) {
  const std::uint64_t operation = address & ~format::kTagMask;
  return (address & format::kTagMask) == format::kOperationTag && format::is_operation(operation) &&
         format::operation_info(operation).kind <= format::OperationClass::kProcess &&
         operation != static_cast<std::uint64_t>(format::Operation::k_pthread_spin_lock);
}

}  // namespace

CounterSnapshot::Stack CounterSnapshot::stack_of(const LaneView& view) const {
  const format::Lane& lane = arena_.lane(view.index);
  // In the owner's addresses; differences are the same here as there.
  const std::uint64_t slot = peek(lane.cells) - arena_.geometry().lane_cells_offset;
  const std::uint64_t offset = peek(lane.top) - slot;
  const std::uint64_t entries = arena_.geometry().stack_entries;
  const std::uint64_t index = offset / sizeof(Entry);
  if (offset % sizeof(Entry) != 0 || index == 0 || index >= entries) {
    return {};
  }
  const Entry* stack = arena_.stack(view.index);
  return {stack + index, stack + entries - 1};
}

bool CounterSnapshot::is_active(LaneView& view) const {
  const Stack stack = stack_of(view);
  LaneActivity now;
  now.top = peek(arena_.lane(view.index).top);
  now.newest_node = peek(arena_.lane(view.index).newest_node);
  now.ring_head = peek(arena_.lane(view.index).ring_head);
  if (stack.top != nullptr) {
    // Every call from here would have used the entry above and left its start in it.
    now.innermost_start = peek(stack.top->start_ticks);
    now.last_popped_start = peek(stack.top[-1].start_ticks);
  }
  return std::exchange(view.activity, now) != now;
}

bool CounterSnapshot::read_extension(const LaneView& view, CountedNode& counted, std::uint32_t cell,
                                     CounterRow& row) const {
  const auto* extension =
      reinterpret_cast<const format::NodeExtension*>(arena_.cell(view.index, cell, 1));
  if (extension == nullptr) {
    return false;
  }
  row.untimed_calls = advance(counted.extension[0], peek(extension->untimed_calls));
  row.fold_in_calls = advance(counted.extension[1], peek(extension->fold_in_calls));
  row.fold_in_ticks = advance(counted.extension[2], peek(extension->fold_in_ticks));
  row.fold_out_ticks = advance(counted.extension[3], peek(extension->fold_out_ticks));
  return (row.untimed_calls | row.fold_in_calls | row.fold_in_ticks | row.fold_out_ticks) != 0;
}

// What the node counted besides calls goes to the recording row by row.
void CounterSnapshot::read_metrics(LaneView& view, CountedNode& counted) const {
  const Node* node = arena_.node(view.index, counted.cell);
  const auto add = [&](format::Metric metric, std::uint64_t value) {
    if (value != 0) {
      recording_.add(format::MetricRow{view.thread.id, counted.node, metric, value});
    }
  };
  const std::uint32_t samples = peek(node->samples);
  add(format::Metric::kSamples, samples - std::exchange(counted.samples, samples));
  if (counted.allocates) {
    if (arena_.header().options.memory != format::MemoryMode::kFull) {
      return;  // what samples stand for is estimated from them
    }
    const auto counters = format::allocation_counters(*node);
    add(format::Metric::kAllocations, advance(counted.metrics[0], peek(counters.allocations)));
    add(format::Metric::kAllocatedBytes,
        advance(counted.metrics[1], peek(counters.allocated_bytes)));
    add(format::Metric::kFrees, advance(counted.metrics[2], peek(counters.frees)));
    add(format::Metric::kErrors, advance(counted.metrics[3], peek(counters.errors)));
    return;
  }
  const std::byte* cell = arena_.cell(view.index, peek(node->extension), 1);
  if (cell != nullptr) {
    const auto* extension = reinterpret_cast<const format::NodeExtension*>(cell);
    add(format::Metric::kBytes, advance(counted.metrics[0], peek(extension->bytes)));
    add(format::Metric::kErrors, advance(counted.metrics[1], peek(extension->errors)));
    add(format::Metric::kHoldTicks, advance(counted.metrics[2], peek(extension->hold_ticks)));
    add(format::Metric::kHolds, advance(counted.metrics[3], peek(extension->holds)));
  }
}

bool CounterSnapshot::is_still_pending(const LaneView& view) const {
  return peek(arena_.lane(view.index).pending_duration) == pending_;
}

void CounterSnapshot::read_buckets(LaneView& view, CountedNode& counted, const Node& node,
                                   CounterRow& row) const {
  static constexpr format::HistogramCell kEmpty = {};
  const bool pending = format::pending_cell(pending_) == counted.cell;
  const std::uint32_t pending_bucket = pending ? format::pending_bucket(pending_) : ~0U;
  for (unsigned group = 0; group < format::kHistogramGroups; ++group) {
    const std::uint32_t cell = peek(node.histogram[group]);
    const std::byte* start = cell == 0 ? nullptr : arena_.cell(view.index, cell, 1);
    if (start == nullptr && pending_bucket / format::kBucketsPerGroup != group) {
      continue;
    }
    if (counted.groups[group] == 0) {
      view.buckets.emplace_back();
      counted.groups[group] = static_cast<std::uint32_t>(view.buckets.size());
    }
    BucketGroup& seen = view.buckets[counted.groups[group] - 1];
    const auto& histogram =
        start == nullptr ? kEmpty : *reinterpret_cast<const format::HistogramCell*>(start);
    for (unsigned place = 0; place < format::kBucketsPerGroup; ++place) {
      const std::uint32_t bucket = group * format::kBucketsPerGroup + place;
      std::uint32_t now = peek(histogram.count[place]);
      if (bucket == pending_bucket && is_still_pending(view)) {
        now += 1;  // otherwise `now` may hold it already
      }
      // Counts wrap; one less than before means that what was pending is counted and has been seen.
      const auto difference = static_cast<std::int32_t>(now - seen[place]);
      if (difference > 0) {
        row.buckets.push_back({bucket, static_cast<std::uint64_t>(difference)});
        seen[place] = now;
        counted.histogram_debt -= static_cast<std::uint64_t>(difference);
      }
    }
  }
}

bool CounterSnapshot::read_node(LaneView& view, CountedNode& counted, CounterRow& row) const {
  if (counted.allocates) {
    return false;  // see read_metrics()
  }
  const Node* node = arena_.node(view.index, counted.cell);
  const std::uint64_t calls = peek(node->calls);
  const std::uint64_t wall_ticks = peek(node->total_ticks);
  const std::uint64_t off_cpu_ticks = peek(node->off_cpu_ticks);
  const std::uint32_t extension = peek(node->extension);
  const bool extended = extension != 0 && read_extension(view, counted, extension, row);
  const bool called = calls != counted.calls || wall_ticks != counted.wall_ticks;
  const bool waited = off_cpu_ticks != counted.off_cpu_ticks;
  if (!called && !extended && !waited && counted.histogram_debt == 0) {
    return false;
  }
  row.thread = view.thread.id;
  row.node = counted.node;
  row.calls = advance(counted.calls, calls);
  row.wall_ticks = advance(counted.wall_ticks, wall_ticks);
  row.off_cpu_ticks = advance(counted.off_cpu_ticks, off_cpu_ticks);
  view.off_cpu_ticks += row.off_cpu_ticks;
  if (calls != 0) {
    const std::uint64_t min_ticks = peek(node->min_ticks);
    row.min_ticks = min_ticks == ~std::uint64_t{0} ? 0 : min_ticks;
    row.max_ticks = peek(node->max_ticks);
  }
  counted.histogram_debt += row.calls;
  if (called || counted.histogram_debt != 0) {
    read_buckets(view, counted, *node, row);
  }
  return called || extended || waited || !row.buckets.empty();
}

void CounterSnapshot::take_counters(LaneView& view) {
  nodes_.take_new(view);
  pending_ = peek(arena_.lane(view.index).pending_duration);
  for (CountedNode& counted : view.counted) {
    CounterRow row;
    read_metrics(view, counted);
    if (read_node(view, counted, row)) {
      budget_.note(counted, row);
      recording_.add(std::move(row));
    }
  }
}

std::uint64_t CounterSnapshot::waiting_since(const LaneView& view) const {
  const std::uint64_t cells = peek(arena_.lane(view.index).cells);
  const Stack stack = stack_of(view);
  for (const Entry* entry = stack.top; entry != nullptr && entry < stack.end; ++entry) {
    const format::EntryCall call = format::call_of(peek(entry->node), peek(entry->flags), cells);
    if (call.cell == 0 || call.cell >= arena_.geometry().cell_count) {
      return 0;
    }
    const Node* node = arena_.node(view.index, static_cast<std::uint32_t>(call.cell));
    const std::uint64_t address = peek(node->address) & format::kAddressMask;
    if ((address & format::kObjectTag) == 0) {
      return waits(address) ? peek(entry->start_ticks) : 0;
    }
  }
  return 0;
}

void CounterSnapshot::take_open_calls(LaneView& view, std::uint64_t ticks, bool final) {
  const Stack stack = stack_of(view);
  const std::uint64_t cells = peek(arena_.lane(view.index).cells);
  bool any = false;
  view.open_calls_ticks = ticks;
  for (const Entry* entry = stack.end; stack.top != nullptr && entry-- > stack.top;) {
    const format::EntryCall call = format::call_of(peek(entry->node), peek(entry->flags), cells);
    const std::uint64_t start_ticks = peek(entry->start_ticks);
    const bool untimed = (call.flags & format::kEntryUntimed) != 0;
    if ((call.flags & format::kEntryUncounted) != 0 || call.cell == 0 ||
        call.cell >= arena_.geometry().cell_count || untimed || start_ticks == 0 ||
        start_ticks > ticks) {
      continue;
    }
    const std::uint32_t node = nodes_.find(view, static_cast<std::uint32_t>(call.cell));
    if (node > format::kRootNode) {
      const bool inherited = (call.flags & format::kEntryInherited) != 0;
      recording_.add(format::OpenCall{view.thread.id, node, start_ticks, ticks, inherited, final});
      any = true;
    }
  }
  if (!any && !view.open_calls_empty) {
    recording_.add(format::OpenCall{view.thread.id, format::kRootNode, ticks, ticks, false, final});
  }
  view.open_calls_empty = !any;
}

}  // namespace spyglass::collector
