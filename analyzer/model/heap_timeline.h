// SPDX-License-Identifier: Apache-2.0
// heap_timeline.h - the heap over time, in steps, beside what processes had resident.
//
//   Memory   proportional to steps and processes.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/heap.h"
#include "analyzer/model/heap_replay.h"
#include "analyzer/model/session_clock.h"
#include "analyzer/model/tick_range.h"
#include "analyzer/reader/sgz_reader.h"

namespace spyglass::model {

inline constexpr std::size_t kHeapSteps = 100;

// Where the steps of a range within [first, last] end; none if there is no time in it.
std::vector<std::uint64_t> step_ends(const TickRange& range, std::uint64_t first,
                                     std::uint64_t last);

// Fills Heap::timeline.
void write_timeline(const std::vector<BlockView>& resident_blocks, SgzReader& reader,
                    const HeapReplay& replay, const std::vector<std::uint64_t>& ends,
                    const SessionClock& clock, Heap& heap);

}  // namespace spyglass::model
