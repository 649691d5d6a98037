// SPDX-License-Identifier: Apache-2.0
// moment_stream.h - samples, contention, exceptions ... of all threads as one stream, in the order
// in which they ended.
//
//   Where    tools.
//   Memory   one decoded block for each thread that was active at the moment the stream is at.
//   Errors   damaged blocks are left out and stand in the reader's damage().
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "analyzer/reader/sgz_reader.h"
#include "format/records.h"

namespace spyglass {

class MomentStream {
 public:
  // `blocks` are the event blocks wanted, in file order. The reader outlives the stream.
  MomentStream(SgzReader& reader, std::vector<BlockView> blocks);

  // The next one and its thread's id; null at the end. Lives until the next call.
  const format::EventRecord* next(std::uint32_t& thread);

  static std::uint64_t end_ticks(const format::EventRecord& event) {
    return event.start_ticks + event.duration_ticks;
  }

 private:
  struct Thread {
    std::uint32_t id = 0;
    std::vector<std::size_t> blocks;  // indices into blocks_
    std::size_t next_block = 0;
    std::vector<format::EventRecord> events;
    std::size_t position = 0;
  };
  using Candidate = std::pair<std::uint64_t, std::size_t>;  // ticks, index into threads_

  void push_candidate(std::size_t index);
  void decode_next(Thread& thread);

  SgzReader& reader_;
  std::vector<BlockView> blocks_;
  std::vector<Thread> threads_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> waiting_;
  format::EventRecord current_;
  std::vector<std::uint8_t> raw_;
};

}  // namespace spyglass
