// SPDX-License-Identifier: Apache-2.0
// heap_sums.h - the heap part of a profile, from one pass over the records of allocations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/model/recording_pass.h"
#include "analyzer/model/session_clock.h"
#include "analyzer/model/tick_range.h"
#include "analyzer/model/tree_layout.h"
#include "analyzer/reader/sgz_reader.h"

namespace spyglass::model {

struct HeapOptions {
  TickRange range;
  std::optional<std::uint64_t> at_ticks;
  std::vector<std::string> suppressions;
  std::uint64_t last_ticks = 0;  // the latest moment that the recording knows of
};

// Fills Profile::heap, if the recording has any, and the memory counts of the layout's nodes.
// Profile::session, ::functions (as the layout numbers them) and ::losses are there.
void write_heap(SgzReader& reader, RecordingPass& pass, Layout& layout, const SessionClock& clock,
                const HeapOptions& options, Profile& profile);

}  // namespace spyglass::model
