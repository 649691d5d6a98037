// SPDX-License-Identifier: Apache-2.0
// sample_tree.h - the stacks seen so far as one tree, so that each is handed on once.
//
//   Where    collector.
//   Threads  one at a time.
//   Memory   grows with what is distinct, up to kMaxSampledNodes; then stacks end where the tree
//            does, which is told of each.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "recorder/collector/sample_batch.h"

namespace spyglass::collector {

inline constexpr std::size_t kMaxSampledNodes = 4U << 20U;

class SampleTree {
 public:
  // Where a stack ends in the tree.
  struct Place {
    std::uint32_t node;
    bool shortened;  // inner frames have no nodes: the tree is full
  };

  explicit SampleTree(std::size_t most_nodes = kMaxSampledNodes) : most_nodes_(most_nodes) {}

  // New nodes are appended to `added`.
  Place place_of(const SampledStack& stack, std::vector<SampledNode>& added);

 private:
  struct Key {
    std::uint32_t parent;
    SampledFrame frame;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Key& key) const {
      const std::uint64_t mixed = key.frame.offset ^ std::uint64_t{key.frame.image} << 44U ^
                                  std::uint64_t{key.parent} << 24U;
      return mixed * 0x9e3779b97f4a7c15ULL;
    }
  };
  std::uint32_t child(std::uint32_t parent, const SampledFrame& frame,
                      std::vector<SampledNode>& added);

  std::size_t most_nodes_;
  std::unordered_map<Key, std::uint32_t, Hash> ids_;
};

}  // namespace spyglass::collector
