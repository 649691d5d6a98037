// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_tree.h"

namespace spyglass::collector {

std::uint32_t SampleTree::child(std::uint32_t parent, const SampledFrame& frame,
                                std::vector<SampledNode>& added) {
  const Key key = {parent, frame};
  if (ids_.size() >= most_nodes_) {
    const auto known = ids_.find(key);
    return known == ids_.end() ? 0 : known->second;
  }
  const auto [place, is_new] = ids_.try_emplace(key, static_cast<std::uint32_t>(ids_.size() + 1));
  if (is_new) {
    added.push_back({parent, frame});
  }
  return place->second;
}

SampleTree::Place SampleTree::place_of(const SampledStack& stack, std::vector<SampledNode>& added) {
  std::uint32_t node = 0;
  if (stack.end != StackEnd::kWhole) {
    node = child(0, {kTruncatedImage, 0}, added);
  }
  // NOLINTNEXTLINE(modernize-loop-convert): views are beyond clang 14
  for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame) {
    const std::uint32_t next = child(node, *frame, added);
    if (next == 0) {
      return {node, true};
    }
    node = next;
  }
  return {node, false};
}

}  // namespace spyglass::collector
