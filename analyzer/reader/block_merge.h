// SPDX-License-Identifier: Apache-2.0
// block_merge.h - the records of all threads' blocks of one kind as one stream, in the order of
// time.
//
// Each thread's blocks follow each other in the file, and a block that is not decoded yet may hold
// something from its first moment on. So only the blocks around the moment that the stream is at
// are in memory.
//
//   Blocks { Record; static ticks(record); static decode(payload, records, out) }
//
//   Where    analyzer/reader.
//   Memory   one decoded block for each thread that was active at the moment the stream is at.
//   Errors   damaged blocks are left out and stand in the reader's damage().
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "analyzer/reader/sgz_reader.h"

namespace spyglass {

template <typename Blocks>
class BlockMerge {
 public:
  using Record = typename Blocks::Record;

  // `blocks` are those wanted, in file order. The reader outlives this.
  BlockMerge(SgzReader& reader, std::vector<BlockView> blocks)
      : reader_(reader), blocks_(std::move(blocks)) {
    std::unordered_map<std::uint32_t, std::size_t> index_of;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      const std::uint32_t id = blocks_[i].header.thread;
      const auto [entry, added] = index_of.try_emplace(id, threads_.size());
      if (added) {
        threads_.emplace_back().id = id;
      }
      threads_[entry->second].blocks.push_back(i);
    }
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      candidates_.push_back({blocks_[threads_[i].blocks.front()].header.first_ticks, i});
    }
    std::ranges::make_heap(candidates_, std::greater<>());
  }

  // The next record and its thread's id; null at the end. It is the caller's until the next call.
  Record* next(std::uint32_t& thread) {
    if (given_) {
      given_ = false;
      threads_[candidates_.front().thread].position += 1;
      update_front();
    }
    while (!candidates_.empty()) {
      Thread& first = threads_[candidates_.front().thread];
      if (first.position < first.records.size()) {
        given_ = true;
        thread = first.id;
        return &first.records[first.position];
      }
      decode_next(first);
      update_front();
    }
    return nullptr;
  }

 private:
  // One thread's blocks: those from next_block on are not decoded yet.
  struct Thread {
    std::uint32_t id = 0;
    std::vector<std::size_t> blocks;  // indices into blocks_
    std::size_t next_block = 0;
    std::vector<Record> records;
    std::size_t position = 0;
  };
  // The thread's next record is of `ticks`, or not before if it is not decoded.
  struct Candidate {
    std::uint64_t ticks;
    std::size_t thread;  // index into threads_

    bool operator>(const Candidate& other) const {
      return ticks != other.ticks ? ticks > other.ticks : thread > other.thread;
    }
  };

  // The first candidate's thread moved on.
  void update_front() {
    const std::size_t index = candidates_.front().thread;
    Thread& thread = threads_[index];
    Candidate updated{0, index};
    if (thread.position < thread.records.size()) {
      updated.ticks = Blocks::ticks(thread.records[thread.position]);
    } else if (thread.next_block < thread.blocks.size()) {
      updated.ticks = blocks_[thread.blocks[thread.next_block]].header.first_ticks;
      spare_ = std::move(thread.records);
      thread.records = {};
      thread.position = 0;
    } else {
      std::ranges::pop_heap(candidates_, std::greater<>());
      candidates_.pop_back();
      std::vector<Record>().swap(thread.records);
      return;
    }
    // The usual case, one thread for a while: it stays in front.
    const std::size_t children = std::min<std::size_t>(candidates_.size(), 3);
    if (std::all_of(candidates_.begin() + 1,
                    candidates_.begin() + static_cast<std::ptrdiff_t>(children),
                    [&](const Candidate& child) { return child > updated; })) {
      candidates_.front() = updated;
      return;
    }
    std::ranges::pop_heap(candidates_, std::greater<>());
    candidates_.back() = updated;
    std::ranges::push_heap(candidates_, std::greater<>());
  }

  void decode_next(Thread& thread) {
    thread.records = std::move(spare_);
    spare_ = {};
    thread.records.clear();
    thread.position = 0;
    const BlockView& block = blocks_[thread.blocks[thread.next_block++]];
    if (reader_.payload(block, raw_)) {
      // A payload that can't be decoded leaves no records; verify reports it.
      (void)Blocks::decode(raw_, block.header.records, thread.records).has_value();
    }
  }

  SgzReader& reader_;
  std::vector<BlockView> blocks_;
  std::vector<Thread> threads_;
  std::vector<Candidate> candidates_;  // a heap, earliest first
  bool given_ = false;                 // the first candidate's record is the caller's
  std::vector<Record> spare_;
  std::vector<std::uint8_t> raw_;
};

}  // namespace spyglass
