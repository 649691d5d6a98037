// SPDX-License-Identifier: Apache-2.0
// span_stream.h - the spans of all threads as one stream, in the order in which they ended.
//
// By their ends, since a call that began first may be the last to end: ordering by start would need
// the whole recording in memory.
//
//   Where    tools and analyzer.
//   Memory   one decoded block for each thread that was active at the moment the stream is at.
//   Errors   damaged blocks are left out and stand in the reader's damage().
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "analyzer/reader/sgz_reader.h"
#include "format/records.h"

namespace spyglass {

struct ThreadSpan {
  std::uint32_t thread = 0;  // id
  format::SpanRecord span;

  std::uint64_t end_ticks() const { return span.start_ticks + span.duration_ticks; }
};

class SpanStream {
 public:
  // `blocks` are the span blocks wanted, in file order. The reader outlives the stream.
  SpanStream(SgzReader& reader, std::vector<BlockView> blocks);

  bool next(ThreadSpan& span);

 private:
  // One thread's blocks: those from next_block on are not decoded yet.
  struct Thread {
    std::uint32_t id = 0;
    std::vector<std::size_t> blocks;  // indices into blocks_
    std::size_t next_block = 0;
    std::vector<format::SpanRecord> spans;
    std::size_t position = 0;
  };
  // The thread's next span ends at `ticks`, or not before if it is not decoded.
  struct Candidate {
    std::uint64_t ticks;
    std::size_t thread;  // index into threads_

    bool operator>(const Candidate& other) const {
      return ticks != other.ticks ? ticks > other.ticks : thread > other.thread;
    }
  };

  void push_candidate(std::size_t index);
  void decode_next(Thread& thread);

  SgzReader& reader_;
  std::vector<BlockView> blocks_;
  std::vector<Thread> threads_;
  std::vector<Candidate> heap_;
  std::vector<std::uint8_t> raw_;
};

}  // namespace spyglass
