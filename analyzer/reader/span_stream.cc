// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/span_stream.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

#include "format/span_codec.h"

namespace spyglass {

SpanStream::SpanStream(SgzReader& reader, std::vector<BlockView> blocks)
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

bool SpanStream::next(ThreadSpan& span) {
  while (!heap_.empty()) {
    const std::size_t index = heap_.front().thread;
    Thread& thread = threads_[index];
    if (thread.position == thread.spans.size()) {
      std::ranges::pop_heap(heap_, std::greater<>());
      heap_.pop_back();
      decode_next(thread);
      push_candidate(index);
      continue;
    }
    span = {thread.id, thread.spans[thread.position++]};
    // The usual case, one thread for a while: no change of the heap's top, no sifting.
    const bool more = thread.position < thread.spans.size();
    if (more) {
      const format::SpanRecord& following = thread.spans[thread.position];
      const std::uint64_t ticks = following.start_ticks + following.duration_ticks;
      const std::size_t children = std::min<std::size_t>(heap_.size(), 3);
      const Candidate updated{ticks, index};
      if (std::all_of(heap_.begin() + 1, heap_.begin() + static_cast<std::ptrdiff_t>(children),
                      [&](const Candidate& child) { return child > updated; })) {
        heap_.front() = updated;
        return true;
      }
    }
    std::ranges::pop_heap(heap_, std::greater<>());
    heap_.pop_back();
    push_candidate(index);
    return true;
  }
  return false;
}

void SpanStream::push_candidate(std::size_t index) {
  Thread& thread = threads_[index];
  if (thread.position < thread.spans.size()) {
    const format::SpanRecord& span = thread.spans[thread.position];
    heap_.push_back({span.start_ticks + span.duration_ticks, index});
  } else if (thread.next_block < thread.blocks.size()) {
    heap_.push_back({blocks_[thread.blocks[thread.next_block]].header.first_ticks, index});
  } else {
    std::vector<format::SpanRecord>().swap(thread.spans);  // its last
    return;
  }
  std::ranges::push_heap(heap_, std::greater<>());
}

void SpanStream::decode_next(Thread& thread) {
  thread.spans.clear();
  thread.position = 0;
  const BlockView& block = blocks_[thread.blocks[thread.next_block++]];
  if (reader_.payload(block, raw_)) {
    // A payload that can't be decoded leaves no spans; verify reports it.
    (void)format::decode_spans(raw_, block.header.records, thread.spans).has_value();
  }
}

}  // namespace spyglass
