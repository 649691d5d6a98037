// SPDX-License-Identifier: Apache-2.0
// allocation_stream.h - what memory all threads got and gave back as one stream, in the order of
// time.
//
//   Where    tools and analyzer.
//   Memory   see block_merge.h.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "analyzer/reader/block_merge.h"
#include "format/allocation_codec.h"
#include "format/records.h"
#include "format/result.h"

namespace spyglass {

struct AllocationBlocks {
  using Record = format::AllocationRecord;
  static std::uint64_t ticks(const Record& record) { return record.ticks; }
  static Status decode(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<Record>& out) {
    return format::decode_allocations(payload, records, out);
  }
};

using AllocationStream = BlockMerge<AllocationBlocks>;

// Not of a thread, but of all processes, in blocks that follow each other.
struct ResidentBlocks {
  using Record = format::ResidentRecord;
  static std::uint64_t ticks(const Record& record) { return record.ticks; }
  static Status decode(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<Record>& out) {
    return format::decode_resident(payload, records, out);
  }
};

using ResidentStream = BlockMerge<ResidentBlocks>;

}  // namespace spyglass
