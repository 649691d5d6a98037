// SPDX-License-Identifier: Apache-2.0
// span_stream.h - the spans of all threads as one stream, in the order in which they ended.
//
// By their ends, since a call that began first may be the last to end: ordering by start would need
// the whole recording in memory.
//
//   Where    tools and analyzer.
//   Memory   see block_merge.h.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "analyzer/reader/block_merge.h"
#include "format/records.h"
#include "format/result.h"
#include "format/span_codec.h"

namespace spyglass {

struct SpanBlocks {
  using Record = format::SpanRecord;
  static std::uint64_t ticks(const Record& span) { return span.start_ticks + span.duration_ticks; }
  static Status decode(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<Record>& out) {
    return format::decode_spans(payload, records, out);
  }
};

struct ThreadSpan {
  std::uint32_t thread = 0;  // id
  format::SpanRecord span;

  std::uint64_t end_ticks() const { return SpanBlocks::ticks(span); }
};

class SpanStream {
 public:
  // `blocks` are the span blocks wanted, in file order. The reader outlives the stream.
  SpanStream(SgzReader& reader, std::vector<BlockView> blocks)
      : merge_(reader, std::move(blocks)) {}

  bool next(ThreadSpan& span) {
    const format::SpanRecord* record = merge_.next(span.thread);
    if (record != nullptr) {
      span.span = *record;
    }
    return record != nullptr;
  }

 private:
  BlockMerge<SpanBlocks> merge_;
};

}  // namespace spyglass
