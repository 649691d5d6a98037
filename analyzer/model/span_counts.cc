// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/span_counts.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "analyzer/model/wait_time.h"

namespace spyglass::model {
namespace {

constexpr unsigned kSubBuckets = 1U << kFineScale;

// A mantissa in [2^63, 2^64) belongs to the last sub-bucket whose lower bound is not above it. Its
// upper 8 bits say which, but for one comparison: no 256th is wide enough to hold two bounds.
struct SubBuckets {
  std::array<std::uint64_t, kSubBuckets + 1> lower{};
  std::array<std::uint8_t, 128> guess{};  // by the 7 bits below the leading one

  SubBuckets() {
    for (unsigned i = 0; i < kSubBuckets; ++i) {
      const long double bound = std::exp2(63.0L + static_cast<long double>(i) / kSubBuckets);
      lower[i] = static_cast<std::uint64_t>(std::ceil(bound));
    }
    lower[kSubBuckets] = ~std::uint64_t{0};
    for (unsigned i = 0; i < guess.size(); ++i) {
      const std::uint64_t mantissa = (std::uint64_t{128 + i}) << 56U;
      const auto after = std::upper_bound(lower.begin(), lower.end(), mantissa);
      guess[i] = static_cast<std::uint8_t>(after - lower.begin() - 1);
    }
  }

  unsigned find(std::uint64_t mantissa) const {
    unsigned bucket = guess[(mantissa >> 56U) & 127U];
    while (bucket + 1 < kSubBuckets && mantissa >= lower[bucket + 1]) {
      ++bucket;
    }
    return bucket;
  }
};

const SubBuckets kSubBucketTable;

std::uint64_t ns_q8(std::uint64_t ticks, std::uint64_t ns_per_tick_q60) {
  __extension__ using Wide = unsigned __int128;
  const Wide value = (static_cast<Wide>(ticks) * ns_per_tick_q60) >> 52U;
  return value > ~std::uint64_t{0} ? ~std::uint64_t{0} : static_cast<std::uint64_t>(value);
}

}  // namespace

unsigned fine_bucket(std::uint64_t duration_ns_q8) {
  const std::uint64_t value = std::max<std::uint64_t>(duration_ns_q8, 0x100U);  // at least 1 ns
  const auto leading = static_cast<unsigned>(std::countl_zero(value));
  return (55U - leading) * kSubBuckets + kSubBucketTable.find(value << leading);
}

void SpanCounts::count_duration(NodeCounts& counts, std::uint64_t duration_ticks) {
  if (counts.fine_histogram == 0) {
    histograms_.emplace_back();
    counts.fine_histogram = static_cast<std::uint32_t>(histograms_.size());
  }
  const unsigned bucket = fine_bucket(ns_q8(duration_ticks, ns_per_tick_q60_));
  std::uint32_t& page = histograms_[counts.fine_histogram - 1].pages[bucket / kSubBuckets];
  if (page == 0) {
    pages_.emplace_back();
    page = static_cast<std::uint32_t>(pages_.size());
  }
  pages_[page - 1][bucket % kSubBuckets] += 1;
}

void SpanCounts::count(std::uint32_t thread, std::span<const format::SpanRecord> spans) {
  ThreadCounts& thread_counts = threads_.thread(thread);
  for (const format::SpanRecord& span : spans) {
    const std::uint64_t end_ticks = span.start_ticks + span.duration_ticks;
    if (end_ticks <= range_.start || span.start_ticks >= range_.end) {
      continue;
    }
    const std::uint64_t inside_ticks = range_.overlap(span.start_ticks, end_ticks);
    RecordedNode& node = nodes_[nodes_.slot(span.node)];
    if ((span.start_ticks < counters_.start || end_ticks > counters_.end) && waits(node)) {
      long_waits_.push_back({thread, nodes_.slot(span.node), span.start_ticks, end_ticks});
    }
    NodeCounts& counts = node.counts;
    counts.calls += 1;
    counts.wall_ticks += inside_ticks;
    counts.completed_ticks += span.duration_ticks;
    counts.min_ticks = std::min(counts.min_ticks, span.duration_ticks);
    counts.max_ticks = std::max(counts.max_ticks, span.duration_ticks);
    count_duration(counts, span.duration_ticks);
    thread_counts.calls += 1;
    if (node.outermost) {
      thread_counts.recorded_ticks += inside_ticks;
    }
  }
}

void SpanCounts::settle_long_waits() {
  // Counters have it at the innermost node: of an operation on an object, at the object's.
  std::vector<bool> has_object(nodes_.size());
  for (std::uint32_t slot = 0; slot < nodes_.size(); ++slot) {
    if (nodes_[slot].role == Role::kObject && nodes_[slot].parent < nodes_.size()) {
      has_object[nodes_[slot].parent] = true;
    }
  }
  for (const LongWait& wait : long_waits_) {
    RecordedNode& node = nodes_[wait.node];
    if (has_object[wait.node]) {
      continue;
    }
    ThreadCounts& thread = threads_.thread(wait.thread);
    if (wait.end_ticks > counters_.end) {
      count_wait(node, thread, counters_.overlap(wait.start_ticks, wait.end_ticks));
    } else {
      take_back_wait(node, thread, counters_.start - wait.start_ticks);
    }
  }
  long_waits_.clear();
}

void SpanCounts::finish() {
  settle_long_waits();
  for (std::uint32_t slot = 0; slot < nodes_.size(); ++slot) {
    NodeCounts& counts = nodes_[slot].counts;
    if (counts.fine_histogram == 0) {
      continue;
    }
    const Histogram& histogram = histograms_[counts.fine_histogram - 1];
    counts.buckets.clear();
    for (unsigned octave = 0; octave < kOctaves; ++octave) {
      for (unsigned i = 0; histogram.pages[octave] != 0 && i < kSubBuckets; ++i) {
        const std::uint64_t count = pages_[histogram.pages[octave] - 1][i];
        if (count != 0) {
          counts.buckets.push_back({octave * kSubBuckets + i, count});
        }
      }
    }
  }
}

}  // namespace spyglass::model
