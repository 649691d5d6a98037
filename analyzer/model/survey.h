// SPDX-License-Identifier: Apache-2.0
// survey.h - what has to be known of a recording before its numbers can be read: session and end,
// and between which moments counters were taken. Reads block headers and two payloads.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "analyzer/model/tick_range.h"
#include "analyzer/reader/sgz_reader.h"
#include "format/records.h"

namespace spyglass::model {

struct Survey {
  std::optional<format::SessionInfo> session;
  std::optional<format::EndInfo> end;
  std::uint64_t last_ticks = 0;      // the latest moment in any block
  std::vector<TickRange> snapshots;  // spans of time that counters cover; only if asked for

  // `ticks` if no counters were gathered across it, else the nearer end of the time they cover.
  std::uint64_t snapshot_near(std::uint64_t ticks) const;
};

// Leaves the reader at the first block.
Survey survey(SgzReader& reader, bool with_snapshots);

}  // namespace spyglass::model
