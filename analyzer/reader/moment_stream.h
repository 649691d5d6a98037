// SPDX-License-Identifier: Apache-2.0
// moment_stream.h - samples, contention, exceptions ... of all threads as one stream, in the order
// in which they ended.
//
//   Where    tools.
//   Memory   see block_merge.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analyzer/reader/block_merge.h"
#include "format/event_codec.h"
#include "format/records.h"
#include "format/result.h"

namespace spyglass {

struct MomentBlocks {
  using Record = format::EventRecord;
  static std::uint64_t ticks(const Record& event) {
    return event.start_ticks + event.duration_ticks;
  }
  static Status decode(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<Record>& out) {
    return format::decode_events(payload, records, out);
  }
};

using MomentStream = BlockMerge<MomentBlocks>;

}  // namespace spyglass
