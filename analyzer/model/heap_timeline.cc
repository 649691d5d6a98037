// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/heap_timeline.h"

#include <algorithm>
#include <map>
#include <utility>

#include "analyzer/reader/allocation_stream.h"

namespace spyglass::model {
namespace {

// The last that is known of one process in each step; 0: nothing new.
struct Resident {
  std::vector<std::uint64_t> bytes;
  std::uint64_t end_ticks = 0;  // of the process, 0: it still ran
};

std::map<std::uint32_t, Resident> read_resident(const std::vector<BlockView>& blocks,
                                                SgzReader& reader, const HeapReplay& replay,
                                                const std::vector<std::uint64_t>& ends) {
  std::map<std::uint32_t, Resident> processes;
  ResidentStream stream(reader, blocks);
  std::uint32_t thread = 0;
  while (const format::ResidentRecord* record = stream.next(thread)) {
    Resident& resident = processes[record->process];
    if (resident.bytes.empty()) {
      resident.bytes.resize(ends.size(), 0);
      const auto known = replay.processes().find(record->process);
      resident.end_ticks = known == replay.processes().end() ? 0 : known->second.record.end_ticks;
    }
    const auto step = std::ranges::lower_bound(ends, record->ticks);
    if (step != ends.end()) {
      resident.bytes[static_cast<std::size_t>(step - ends.begin())] = record->resident_bytes;
    }
  }
  return processes;
}

}  // namespace

std::vector<std::uint64_t> step_ends(const TickRange& range, std::uint64_t first,
                                     std::uint64_t last) {
  const std::uint64_t begin = std::max(range.start, first);
  const std::uint64_t end = std::min(range.end, last);
  std::vector<std::uint64_t> ends;
  if (begin >= end) {
    return ends;
  }
  const std::uint64_t length = end - begin;
  for (std::uint64_t i = 1; i <= kHeapSteps; ++i) {
    ends.push_back(begin + length / kHeapSteps * i + length % kHeapSteps * i / kHeapSteps);
  }
  return ends;
}

void write_timeline(const std::vector<BlockView>& resident_blocks, SgzReader& reader,
                    const HeapReplay& replay, const std::vector<std::uint64_t>& ends,
                    const SessionClock& clock, Heap& heap) {
  const std::uint64_t unit = replay.weights().unit();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    const HeapReplay::Step& step = replay.steps()[i];
    HeapMoment moment;
    moment.at_ns = clock.ns_since_start(ends[i]);
    moment.allocations = (step.allocated.blocks + unit / 2) / unit;
    moment.allocated_bytes = step.allocated.bytes;
    moment.live_bytes = step.live_bytes;
    moment.mapped_bytes = step.mapped_bytes;
    heap.timeline.push_back(moment);
  }
  for (const auto& [id, resident] : read_resident(resident_blocks, reader, replay, ends)) {
    std::uint64_t known = 0;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (resident.end_ticks != 0 && resident.end_ticks < ends[i]) {
        break;
      }
      known = resident.bytes[i] != 0 ? resident.bytes[i] : known;
      heap.timeline[i].resident_bytes += known;
      heap.timeline[i].resident_known |= known != 0;
    }
  }
}

}  // namespace spyglass::model
