// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/heap_replay.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "format/duration_histogram.h"

namespace spyglass::model {
namespace {

using format::AllocationKind;
using format::AllocationRecord;

constexpr std::uint64_t before(std::uint64_t ticks) { return ticks == 0 ? 0 : ticks - 1; }

std::uint32_t size_bucket(std::uint64_t bytes) {
  constexpr std::uint64_t kMost = ~std::uint64_t{0} >> 8U;
  return format::bucket_of_ns_q8(std::min(bytes, kMost) << 8U);
}

}  // namespace

HeapReplay::HeapReplay(Settings settings)
    : settings_(std::move(settings)),
      weights_(settings_.sample_bytes),
      figures_(settings_.nodes),
      gone_([this](std::uint32_t node, std::uint64_t bytes) { unmap(node, bytes); }),
      steps_(settings_.step_ends.size()) {
  late_ticks_ = static_cast<std::uint64_t>(kLateNs / std::max(settings_.ns_per_tick, 1e-6));
  totals_.suppressed.resize(settings_.most_suppressions + 1);
  for (const std::uint64_t end : settings_.step_ends) {
    milestones_.push_back({end, Mark::kStepEnd, 0});
  }
  if (settings_.at_ticks) {
    milestones_.push_back({*settings_.at_ticks, Mark::kInventory, 0});
  }
  if (!settings_.range.whole()) {
    counting_ = settings_.range.start == 0;
    milestones_.push_back({before(settings_.range.start), Mark::kRangeStart, 0});
    milestones_.push_back({settings_.range.end, Mark::kRangeEnd, 0});
  }
}

void HeapReplay::add(const format::ProcessRecord& record) {
  processes_[record.id].record = record;
  if (record.end_ticks != 0) {
    milestones_.push_back({record.end_ticks, Mark::kProcessEnd, record.id});
  }
}

void HeapReplay::add(const format::ThreadRecord& record) {
  Thread& added = threads_[record.id];
  added.id = record.id;
  added.process = &processes_[record.process];
}

HeapReplay::Thread& HeapReplay::thread(std::uint32_t id) {
  if (last_thread_ == nullptr || last_thread_->id != id) {
    Thread& found = threads_[id];
    found.id = id;
    if (found.process == nullptr) {
      found.process = &processes_[0];  // damage took the thread's record
    }
    last_thread_ = &found;
  }
  return *last_thread_;
}

void HeapReplay::see(std::uint32_t id, std::uint32_t node, const AllocationRecord& record) {
  if (totals_.records++ == 0) {
    std::ranges::stable_sort(milestones_, {}, [](const Milestone& milestone) {
      return std::tuple(milestone.ticks, milestone.mark);
    });
  }
  if (next_milestone_ < milestones_.size() && milestones_[next_milestone_].ticks < record.ticks) {
    pass_milestones(record.ticks);
  }
  Thread& by = thread(id);
  switch (record.kind) {
    case AllocationKind::kAllocate:
    case AllocationKind::kMoveTo:
      allocate(by, node, record);
      break;
    case AllocationKind::kFree:
    case AllocationKind::kMoveFrom:
      release(by, record);
      break;
    case AllocationKind::kMap:
      map(by, node, record);
      break;
    case AllocationKind::kUnmap:
      by.process->pages.unmap(record.address, record.bytes, gone_);
      break;
  }
}

void HeapReplay::count_allocation(Thread& by, const LiveBlock& block, const HeapAmount& amount) {
  NodeFigures& node = figures_[block.node];
  node.allocated += amount;
  node.allocations_variance += weights_.variance_of(block.bytes);
  node.sizes.add(size_bucket(block.bytes), amount.blocks);
  node.longest_chain = std::max(node.longest_chain, block.chain);
  if (block.chain != 0) {
    node.reallocations += amount.blocks;
    node.moved_bytes +=
        by.moved.address == block.address ? 0 : std::min(by.moved.bytes, block.bytes);
  }
  by.allocated += amount;
  by.process->allocated += amount;
  if (step_ < steps_.size()) {
    steps_[step_].allocated += amount;
  }
}

void HeapReplay::allocate(Thread& by, std::uint32_t node, const AllocationRecord& record) {
  if (record.address == 0) {
    return;
  }
  Process& process = *by.process;
  LiveBlock block{record.address, record.bytes, record.ticks, node, by.id, ++by.sequence, 0};
  if (record.kind == AllocationKind::kMoveTo && by.moving) {
    block.chain = by.moved.chain + 1;
  }
  const HeapAmount amount = weights_.of(record.bytes);
  if (LiveBlock* old = process.blocks.find(record.address)) {
    const LiveBlock ended = *old;
    process.blocks.remove(old);
    end_block(ended, record.ticks, false);
    process.live -= weights_.of(ended.bytes);
    process.displaced.note(record.address, record.ticks, by.id);
  }
  if (counting_) {
    count_allocation(by, block, amount);
  }
  by.moving = false;
  if (figures_.grow(node, amount)) {
    totals_.peak_ticks = record.ticks;
  }
  process.live += amount;
  if (counting_ && process.live.bytes > process.peak_bytes) {
    process.peak_bytes = process.live.bytes;
    process.peak_ticks = record.ticks;
  }
  if (process.freed.take(record.address, record.ticks, by.id, late_ticks_)) {
    count_unmatched(process, -1);
    process.live -= amount;
    end_block(block, record.ticks, false);
    return;
  }
  process.blocks.add(block);
}

void HeapReplay::count_unmatched(const Process& process, std::int64_t count) {
  if (counting_) {
    totals_.unmatched_frees += count;
    totals_.inherited_frees += process.record.forked ? count : 0;
  }
}

void HeapReplay::release(Thread& by, const AllocationRecord& record) {
  Process& process = *by.process;
  const bool moving = record.kind == AllocationKind::kMoveFrom;
  by.moving = moving;
  by.moved = {record.address, 0, record.ticks, 0, by.id, 0, 0};
  std::uint64_t blocks = weights_.unit();
  if (process.displaced.take(record.address, record.ticks, by.id, late_ticks_)) {
    totals_.late_frees += counting_ ? 1 : 0;  // its block ended when the address came back
  } else if (LiveBlock* found = process.blocks.find(record.address)) {
    const LiveBlock block = *found;
    process.blocks.remove(found);
    by.moved = block;
    const bool own = block.thread == by.id;
    const bool temporary = !moving && own && by.sequence - block.sequence <= 1;
    end_block(block, record.ticks, temporary);
    const HeapAmount amount = weights_.of(block.bytes);
    process.live -= amount;
    blocks = amount.blocks;
    by.frees_of_others += counting_ && !own ? blocks : 0;
  } else if (record.address != 0) {
    process.freed.note(record.address, record.ticks, by.id);
    count_unmatched(process, 1);
  }
  if (counting_) {
    by.frees += blocks;
    process.frees += blocks;
    totals_.frees += blocks;
  }
}

std::uint32_t HeapReplay::lifetime_bucket(std::uint64_t ticks) const {
  constexpr double kMostQ8 = 9e18;
  const double ns_q8 = static_cast<double>(ticks) * settings_.ns_per_tick * 256;
  return format::bucket_of_ns_q8(static_cast<std::uint64_t>(std::min(ns_q8, kMostQ8)));
}

void HeapReplay::end_block(const LiveBlock& block, std::uint64_t ticks, bool temporary) {
  const HeapAmount amount = weights_.of(block.bytes);
  figures_.shrink(block.node, amount);
  if (counting_) {
    NodeFigures& node = figures_[block.node];
    node.frees += amount.blocks;
    node.temporary += temporary ? amount.blocks : 0;
    node.lifetimes.add(lifetime_bucket(ticks > block.ticks ? ticks - block.ticks : 0),
                       amount.blocks);
  }
}

void HeapReplay::map(Thread& by, std::uint32_t node, const AllocationRecord& record) {
  by.process->pages.map(record.address, record.bytes, node, gone_);
  Maps& maps = maps_[node];
  // As pages are kept, so that what goes never exceeds what came.
  const std::uint64_t bytes = std::min(record.bytes, ~std::uint64_t{0} - record.address);
  maps.live_bytes += bytes;
  totals_.mapped_live_bytes += bytes;
  if (counting_) {
    maps.maps += 1;
    maps.mapped_bytes += bytes;
    maps.own_peak_bytes = std::max(maps.own_peak_bytes, maps.live_bytes);
    totals_.mapped_peak_bytes = std::max(totals_.mapped_peak_bytes, totals_.mapped_live_bytes);
  }
}

void HeapReplay::unmap(std::uint32_t node, std::uint64_t bytes) {
  maps_[node].live_bytes -= bytes;
  totals_.mapped_live_bytes -= bytes;
}

void HeapReplay::pass_milestones(std::uint64_t ticks) {
  while (next_milestone_ < milestones_.size() && milestones_[next_milestone_].ticks < ticks) {
    reach(milestones_[next_milestone_++]);
  }
}

void HeapReplay::reach(const Milestone& milestone) {
  switch (milestone.mark) {
    case Mark::kStepEnd:
      end_step();
      break;
    case Mark::kProcessEnd:
      end_process(processes_[milestone.process]);
      break;
    case Mark::kInventory:
      take_inventory();
      break;
    case Mark::kRangeStart:
      counting_ = true;
      figures_.restart_tracking();
      totals_.peak_ticks = settings_.range.start;
      totals_.mapped_peak_bytes = totals_.mapped_live_bytes;
      for (auto& [id, process] : processes_) {
        process.peak_bytes = process.live.bytes;
        process.peak_ticks = settings_.range.start;
      }
      break;
    case Mark::kRangeEnd:
      counting_ = false;
      figures_.stop_tracking();
      break;
  }
}

void HeapReplay::end_step() {
  Step& step = steps_[step_++];
  step.live_bytes = figures_.live().bytes;
  step.mapped_bytes = totals_.mapped_live_bytes;
}

void HeapReplay::take_inventory() {
  for (NodeFigures& node : figures_.nodes()) {
    node.live_then = node.live;
  }
  for (auto& [node, maps] : maps_) {
    maps.live_then_bytes = maps.live_bytes;
  }
}

// Its memory goes back to the system, so it is live no more; nobody freed it, though. An exec ends
// it in good order: what the program kept for itself is no leak.
void HeapReplay::end_process(Process& process) {
  const bool execed = process.record.exit == format::ExitKind::kExeced;
  process.blocks.each([&](const LiveBlock& block) {
    const HeapAmount amount = weights_.of(block.bytes);
    figures_.shrink(block.node, amount);
    NodeFigures& node = figures_[block.node];
    if (execed) {
      totals_.execed_bytes += amount.bytes;
      return;
    }
    if (!settings_.at_ticks) {
      node.live_then += amount;
    }
    if (block.ticks < settings_.range.start || block.ticks > settings_.range.end) {
      return;
    }
    node.leaked += amount;
    const std::uint32_t suppression =
        block.node < settings_.suppressions.size() ? settings_.suppressions[block.node] : 0;
    if (suppression == 0) {
      process.leaked += amount;
    } else {
      process.suppressed += amount;
      totals_.suppressed[suppression] += amount;
    }
  });
  process.blocks.clear();
  process.live = {};
  if (!settings_.at_ticks && !execed) {
    process.pages.clear([this](std::uint32_t node, std::uint64_t bytes) {
      maps_[node].live_then_bytes += bytes;
      unmap(node, bytes);
    });
  } else {
    process.pages.clear(gone_);
  }
}

void HeapReplay::finish() {
  if (totals_.records == 0) {
    return;
  }
  // Processes that still ran end with the recording, after all else.
  while (next_milestone_ < milestones_.size()) {
    reach(milestones_[next_milestone_++]);
  }
  figures_.stop_tracking();
  for (auto& [id, process] : processes_) {
    end_process(process);
  }
}

}  // namespace spyglass::model
