// SPDX-License-Identifier: Apache-2.0
// heap_figures.h - what the heap's replay adds up for each node, and the heap at its highest moment
// in one pass.
//
// A new maximum of the whole heap costs one increment: the epoch grows, which makes every node's
// saved value stale. A node that changes for the first time in an epoch saves what it has live, so
// at the end each node's share of the peak is what it saved in the last epoch, or else what it has.
//
//   Memory   proportional to nodes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "analyzer/model/histogram.h"

namespace spyglass::model {

// Few different buckets, mostly the same one again.
class SparseHistogram {
 public:
  void add(std::uint32_t bucket, std::uint64_t count) {
    if (last_ < buckets_.size() && buckets_[last_].bucket == bucket) {
      buckets_[last_].count += count;
      return;
    }
    const auto at = std::lower_bound(buckets_.begin(), buckets_.end(), bucket,
                                     [](const format::BucketCount& known, std::uint32_t wanted) {
                                       return known.bucket < wanted;
                                     });
    last_ = static_cast<std::uint32_t>(at - buckets_.begin());
    if (at != buckets_.end() && at->bucket == bucket) {
      at->count += count;
    } else {
      buckets_.insert(at, {bucket, count});
    }
  }
  // With counts given in units.
  Histogram histogram(std::uint64_t unit) const;

 private:
  std::vector<format::BucketCount> buckets_;
  std::uint32_t last_ = 0;
};

// Blocks and their bytes. Blocks are counted in units, see HeapWeights.
struct HeapAmount {
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  double variance = 0;  // of bytes, where they are an estimate

  HeapAmount& operator+=(const HeapAmount& other) {
    blocks += other.blocks;
    bytes += other.bytes;
    variance += other.variance;
    return *this;
  }
  HeapAmount& operator-=(const HeapAmount& other) {
    blocks -= other.blocks;
    bytes -= other.bytes;
    variance -= other.variance;
    return *this;
  }
  // A standard error; differences of sums may leave less than nothing.
  double error() const { return std::sqrt(std::max(0.0, variance)); }
};

struct NodeFigures {
  HeapAmount live;
  HeapAmount at_peak;
  std::uint64_t own_peak_bytes = 0;
  std::uint64_t epoch = 0;
  std::uint32_t longest_chain = 0;
  HeapAmount allocated;
  HeapAmount leaked;
  HeapAmount live_then;  // at the moment asked for
  std::uint64_t frees = 0;
  std::uint64_t temporary = 0;
  std::uint64_t reallocations = 0;
  std::uint64_t moved_bytes = 0;
  double allocations_variance = 0;
  SparseHistogram sizes;
  SparseHistogram lifetimes;
};

class HeapFigures {
 public:
  explicit HeapFigures(std::size_t nodes) : nodes_(nodes) {}

  NodeFigures& operator[](std::uint32_t node) { return nodes_[node]; }
  std::vector<NodeFigures>& nodes() { return nodes_; }
  const HeapAmount& live() const { return live_; }
  const HeapAmount& peak() const { return peak_; }

  // Whether the heap is now higher than ever.
  bool grow(std::uint32_t node, const HeapAmount& amount) {
    NodeFigures& figures = touch(node);
    figures.live += amount;
    live_ += amount;
    if (!tracking_) {
      return false;
    }
    figures.own_peak_bytes = std::max(figures.own_peak_bytes, figures.live.bytes);
    if (live_.bytes <= peak_.bytes) {
      return false;
    }
    peak_ = live_;
    ++epoch_;
    return true;
  }
  void shrink(std::uint32_t node, const HeapAmount& amount) {
    touch(node).live -= amount;
    live_ -= amount;
  }

  // Only what is from here on, up to stop_tracking(), can be the peak; what is now to begin with.
  void restart_tracking() {
    for (NodeFigures& figures : nodes_) {
      figures.own_peak_bytes = figures.live.bytes;
    }
    peak_ = live_;
    ++epoch_;
  }
  // Afterwards at_peak holds each node's share.
  void stop_tracking() {
    for (NodeFigures& figures : nodes_) {
      if (tracking_ && figures.epoch != epoch_) {
        figures.at_peak = figures.live;
      }
    }
    tracking_ = false;
  }

 private:
  NodeFigures& touch(std::uint32_t node) {
    NodeFigures& figures = nodes_[node];
    if (figures.epoch != epoch_ && tracking_) {
      figures.at_peak = figures.live;
      figures.epoch = epoch_;
    }
    return figures;
  }

  std::vector<NodeFigures> nodes_;
  HeapAmount live_;
  HeapAmount peak_;
  std::uint64_t epoch_ = 1;
  bool tracking_ = true;
};

}  // namespace spyglass::model
