// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/heap_sums.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "analyzer/model/heap_replay.h"
#include "analyzer/model/heap_suppressions.h"
#include "analyzer/model/heap_timeline.h"
#include "analyzer/reader/allocation_stream.h"

namespace spyglass::model {
namespace {

std::uint64_t blocks(std::uint64_t in_units, std::uint64_t unit) {
  return (in_units + unit / 2) / unit;
}

class HeapWriter {
 public:
  HeapWriter(SgzReader& reader, RecordingPass& pass, Layout& layout, const SessionClock& clock,
             const HeapOptions& options, Profile& profile)
      : reader_(reader),
        pass_(pass),
        layout_(layout),
        clock_(clock),
        options_(options),
        profile_(profile),
        heap_(profile.heap.emplace()),
        ends_(step_ends(options.range, clock.start_ticks(), options.last_ticks)),
        replay_(settings()),
        unit_(replay_.weights().unit()) {}

  void write() {
    replay();
    write_totals();
    write_stacks();
    write_maps();
    write_people();
    write_leaks();
    write_timeline(pass_.resident_blocks(), reader_, replay_, ends_, clock_, heap_);
  }

 private:
  HeapReplay::Settings settings() {
    heap_.mode = profile_.session.memory;
    const bool sampled = heap_.mode == format::MemoryMode::kSample;
    heap_.sample_bytes = sampled ? profile_.session.memory_sample_bytes : 0;
    HeapReplay::Settings settings;
    settings.nodes = layout_.nodes.size();
    settings.sample_bytes = heap_.sample_bytes;
    settings.ns_per_tick = clock_.ns(1);
    settings.range = options_.range;
    settings.at_ticks = options_.at_ticks;
    settings.step_ends = ends_;
    settings.suppressions = suppressed_nodes(layout_.nodes, profile_.functions,
                                             options_.suppressions, heap_.suppressions);
    settings.most_suppressions = static_cast<std::uint32_t>(heap_.suppressions.size());
    suppressions_ = settings.suppressions;
    return settings;
  }

  void replay() {
    for (const auto& [id, process] : pass_.threads().processes()) {
      replay_.add(process);
    }
    for (const ThreadCounts& thread : pass_.threads().threads()) {
      replay_.add(thread.record);
    }
    std::uint64_t promised = 0;
    for (const BlockView& block : pass_.allocation_blocks()) {
      promised += block.header.records;
    }
    AllocationStream stream(reader_, std::move(pass_.allocation_blocks()));
    std::uint32_t thread = 0;
    while (const format::AllocationRecord* record = stream.next(thread)) {
      const std::uint32_t slot = pass_.nodes().find(record->node);
      replay_.see(thread, slot == NodeTable::kUndefined ? 0 : layout_.places[slot], *record);
    }
    replay_.finish();
    heap_.lost_records = promised - replay_.totals().records;
    for (const format::LossRecord& loss : profile_.losses) {
      heap_.lost_records += loss.kind == format::LossKind::kAllocations ? loss.count : 0;
    }
    heap_.exact = heap_.mode == format::MemoryMode::kFull && heap_.lost_records == 0;
  }

  // What nodes counted is right even where records were lost.
  bool counted() const { return heap_.mode == format::MemoryMode::kFull && options_.range.whole(); }
  std::uint64_t at_least(std::uint64_t replayed, std::uint64_t count) const {
    return counted() ? std::max(replayed, count) : replayed;
  }

  void write_totals() {
    const HeapReplay::Totals& totals = replay_.totals();
    const HeapAmount& peak = replay_.figures().peak();
    heap_.frees = blocks(totals.frees, unit_);
    heap_.unmatched_frees =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, totals.unmatched_frees));
    heap_.inherited_frees =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, totals.inherited_frees));
    heap_.late_frees = totals.late_frees;
    heap_.peak_bytes = peak.bytes;
    heap_.peak_allocations = blocks(peak.blocks, unit_);
    heap_.peak_at_ns = clock_.ns_since_start(totals.peak_ticks);
    heap_.peak_bytes_error = peak.error();
    heap_.execed_bytes = totals.execed_bytes;
    if (options_.at_ticks) {
      heap_.live_at_ns = clock_.ns_since_start(*options_.at_ticks);
    }
    std::uint64_t frees = 0;
    for (const LaidNode& node : layout_.nodes) {
      frees += is_heap(node) ? node.counts.frees : 0;
      heap_.failed += is_heap(node) ? node.counts.errors : 0;
    }
    heap_.frees = at_least(heap_.frees, frees);
  }

  bool is_heap(const LaidNode& node) const {
    const Function& function = profile_.functions[node.function];
    return node.depth != 0 && function.kind == FunctionKind::kOperation &&
           is_memory_operation(function.operation) && !is_page_operation(function.operation);
  }

  void write_stacks() {
    for (std::uint32_t i = 0; i < layout_.nodes.size(); ++i) {
      LaidNode& node = layout_.nodes[i];
      NodeFigures& figures = replay_.figures()[i];
      HeapStack stack = stack_of(i, figures);
      if (is_heap(node)) {
        stack.allocations = at_least(stack.allocations, node.counts.allocations);
        stack.allocated_bytes = at_least(stack.allocated_bytes, node.counts.allocated_bytes);
      }
      if ((stack.allocations | stack.peak_bytes | stack.leaked_bytes | stack.live_bytes |
           stack.frees) == 0) {
        continue;
      }
      node.memory = {stack.allocations, stack.allocated_bytes, stack.temporary, stack.peak_bytes,
                     stack.suppression == 0 ? stack.leaked_bytes : 0};
      add_to_totals(stack);
      variances_.allocations += figures.allocations_variance;
      variances_.bytes += figures.allocated.variance;
      variances_.leaked += stack.suppression == 0 ? figures.leaked.variance : 0;
      heap_.stacks.push_back(std::move(stack));
    }
    heap_.allocations_error = std::sqrt(variances_.allocations);
    heap_.allocated_bytes_error = std::sqrt(variances_.bytes);
    heap_.leaked_bytes_error = std::sqrt(std::max(0.0, variances_.leaked));
  }

  HeapStack stack_of(std::uint32_t node, const NodeFigures& figures) const {
    HeapStack stack;
    stack.node = node;
    stack.allocations = blocks(figures.allocated.blocks, unit_);
    stack.allocated_bytes = figures.allocated.bytes;
    stack.frees = blocks(figures.frees, unit_);
    stack.reallocations = blocks(figures.reallocations, unit_);
    stack.moved_bytes = figures.moved_bytes;
    stack.longest_chain = figures.longest_chain;
    stack.temporary = blocks(figures.temporary, unit_);
    stack.peak_bytes = figures.at_peak.bytes;
    stack.peak_allocations = blocks(figures.at_peak.blocks, unit_);
    stack.own_peak_bytes = figures.own_peak_bytes;
    stack.live_bytes = figures.live_then.bytes;
    stack.live_allocations = blocks(figures.live_then.blocks, unit_);
    stack.leaked_bytes = figures.leaked.bytes;
    stack.leaked_allocations = blocks(figures.leaked.blocks, unit_);
    stack.suppression = suppressions_[node];
    stack.allocations_error = std::sqrt(figures.allocations_variance);
    stack.allocated_bytes_error = figures.allocated.error();
    stack.leaked_bytes_error = figures.leaked.error();
    stack.peak_bytes_error = figures.at_peak.error();
    stack.sizes = figures.sizes.histogram(unit_);
    stack.lifetimes = figures.lifetimes.histogram(unit_);
    return stack;
  }

  void add_to_totals(const HeapStack& stack) {
    heap_.allocations += stack.allocations;
    heap_.allocated_bytes += stack.allocated_bytes;
    heap_.reallocations += stack.reallocations;
    heap_.moved_bytes += stack.moved_bytes;
    heap_.longest_chain = std::max(heap_.longest_chain, stack.longest_chain);
    heap_.temporary += stack.temporary;
    heap_.live_bytes += stack.live_bytes;
    heap_.live_allocations += stack.live_allocations;
    heap_.sizes.add(stack.sizes);
    heap_.lifetimes.add(stack.lifetimes);
    (stack.suppression == 0 ? heap_.leaked_bytes : heap_.suppressed_bytes) += stack.leaked_bytes;
    (stack.suppression == 0 ? heap_.leaked_allocations : heap_.suppressed_allocations) +=
        stack.leaked_allocations;
  }

  void write_maps() {
    for (const auto& [node, maps] : replay_.maps()) {
      heap_.maps += maps.maps;
      heap_.mapped_bytes += maps.mapped_bytes;
      heap_.mapped_live_bytes += maps.live_then_bytes;
      heap_.map_stacks.push_back(
          {node, maps.maps, maps.mapped_bytes, maps.own_peak_bytes, maps.live_then_bytes});
    }
    heap_.mapped_peak_bytes = replay_.totals().mapped_peak_bytes;
    std::ranges::sort(heap_.map_stacks, {}, &MapStack::node);
  }

  void write_people() {
    std::map<std::uint32_t, ProcessHeap> processes;
    for (const auto& [id, process] : replay_.processes()) {
      if (process.record.id == 0 && process.allocated.blocks + process.frees == 0) {
        continue;  // of threads that damage took
      }
      processes[id] = {process.record.id,
                       process.record.pid,
                       blocks(process.allocated.blocks, unit_),
                       process.allocated.bytes,
                       blocks(process.frees, unit_),
                       process.peak_bytes,
                       clock_.ns_since_start(process.peak_ticks),
                       process.leaked.bytes,
                       blocks(process.leaked.blocks, unit_),
                       process.suppressed.bytes,
                       blocks(process.suppressed.blocks, unit_)};
    }
    std::map<std::uint32_t, ThreadHeap> threads;
    for (const auto& [id, thread] : replay_.threads()) {
      threads[id] = {id,
                     thread.process->record.pid,
                     0,
                     blocks(thread.allocated.blocks, unit_),
                     thread.allocated.bytes,
                     blocks(thread.frees, unit_),
                     blocks(thread.frees_of_others, unit_)};
    }
    std::map<std::uint32_t, ThreadHeap> counted;  // sums of threads, by process
    for (const ThreadCounts& counts : pass_.threads().threads()) {
      ThreadHeap& thread = threads[counts.record.id];
      thread.thread = counts.record.id;
      thread.tid = counts.record.tid;
      thread.allocations = at_least(thread.allocations, counts.allocations);
      thread.allocated_bytes = at_least(thread.allocated_bytes, counts.allocated_bytes);
      thread.frees = at_least(thread.frees, counts.frees);
      ThreadHeap& sum = counted[counts.record.process];
      sum.allocations += counts.allocations;
      sum.allocated_bytes += counts.allocated_bytes;
      sum.frees += counts.frees;
    }
    for (auto& [id, process] : processes) {
      process.allocations = at_least(process.allocations, counted[id].allocations);
      process.allocated_bytes = at_least(process.allocated_bytes, counted[id].allocated_bytes);
      process.frees = at_least(process.frees, counted[id].frees);
      heap_.processes.push_back(process);
    }
    for (const auto& [id, thread] : threads) {
      if ((thread.allocations | thread.frees) != 0) {
        heap_.threads.push_back(thread);
      }
    }
  }

  // Only suppressions that hid something are kept; the stacks are told their new numbers.
  void write_leaks() {
    std::vector<std::uint32_t> number(heap_.suppressions.size() + 1, 0);
    std::vector<Suppression> kept;
    for (std::uint32_t i = 1; i < number.size(); ++i) {
      const HeapAmount& amount = replay_.totals().suppressed[i];
      if (amount.blocks != 0) {
        Suppression suppression = std::move(heap_.suppressions[i - 1]);
        suppression.bytes = amount.bytes;
        suppression.allocations = blocks(amount.blocks, unit_);
        kept.push_back(std::move(suppression));
        number[i] = static_cast<std::uint32_t>(kept.size());
      }
    }
    for (HeapStack& stack : heap_.stacks) {
      stack.suppression = number[stack.suppression];
    }
    heap_.suppressions = std::move(kept);
  }

  struct Variances {
    double allocations = 0;
    double bytes = 0;
    double leaked = 0;
  };

  SgzReader& reader_;
  RecordingPass& pass_;
  Layout& layout_;
  const SessionClock& clock_;
  const HeapOptions& options_;
  Profile& profile_;
  Heap& heap_;
  std::vector<std::uint64_t> ends_;
  std::vector<std::uint32_t> suppressions_;  // by node
  HeapReplay replay_;
  std::uint64_t unit_;
  Variances variances_;
};

}  // namespace

void write_heap(SgzReader& reader, RecordingPass& pass, Layout& layout, const SessionClock& clock,
                const HeapOptions& options, Profile& profile) {
  if (profile.session.memory == format::MemoryMode::kOff && pass.allocation_blocks().empty()) {
    return;
  }
  HeapWriter(reader, pass, layout, clock, options, profile).write();
}

}  // namespace spyglass::model
