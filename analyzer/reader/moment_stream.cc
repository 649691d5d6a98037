// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/moment_stream.h"

#include <unordered_map>

#include "format/event_codec.h"

namespace spyglass {

MomentStream::MomentStream(SgzReader& reader, std::vector<BlockView> blocks)
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
    push_candidate(i);
  }
}

// A block that is not decoded yet may hold something from its first moment on.
void MomentStream::push_candidate(std::size_t index) {
  Thread& thread = threads_[index];
  if (thread.position < thread.events.size()) {
    waiting_.emplace(end_ticks(thread.events[thread.position]), index);
  } else if (thread.next_block < thread.blocks.size()) {
    waiting_.emplace(blocks_[thread.blocks[thread.next_block]].header.first_ticks, index);
  } else {
    std::vector<format::EventRecord>().swap(thread.events);  // its last
  }
}

void MomentStream::decode_next(Thread& thread) {
  thread.events.clear();
  thread.position = 0;
  const BlockView& block = blocks_[thread.blocks[thread.next_block++]];
  if (reader_.payload(block, raw_)) {
    // A payload that can't be decoded leaves no events; verify reports it.
    (void)format::decode_events(raw_, block.header.records, thread.events).has_value();
  }
}

const format::EventRecord* MomentStream::next(std::uint32_t& id) {
  while (!waiting_.empty()) {
    const std::size_t index = waiting_.top().second;
    waiting_.pop();
    Thread& thread = threads_[index];
    if (thread.position == thread.events.size()) {
      decode_next(thread);
      push_candidate(index);
      continue;
    }
    id = thread.id;
    current_ = std::move(thread.events[thread.position++]);
    push_candidate(index);
    return &current_;
  }
  return nullptr;
}

}  // namespace spyglass
