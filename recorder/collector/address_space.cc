// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/address_space.h"

#include <algorithm>

namespace spyglass::collector {

void AddressSpace::map(const CodeMapping& mapping) {
  if (mapping.end <= mapping.start) {
    return;
  }
  const auto first =
      std::partition_point(mappings_.begin(), mappings_.end(),
                           [&](const CodeMapping& known) { return known.end <= mapping.start; });
  const auto last = std::partition_point(
      first, mappings_.end(), [&](const CodeMapping& known) { return known.start < mapping.end; });
  std::vector<CodeMapping> pieces;
  if (first != last && first->start < mapping.start) {
    pieces.push_back(*first);
    pieces.back().end = mapping.start;
  }
  pieces.push_back(mapping);
  if (first != last && (last - 1)->end > mapping.end) {
    CodeMapping rest = *(last - 1);
    rest.file_offset += mapping.end - rest.start;
    rest.start = mapping.end;
    pieces.push_back(rest);
  }
  const auto place = mappings_.erase(first, last);
  if (mappings_.size() + pieces.size() <= kMaxMappings) {
    mappings_.insert(place, pieces.begin(), pieces.end());
  }
}

const CodeMapping* AddressSpace::find(std::uint64_t address) const {
  const auto place =
      std::partition_point(mappings_.begin(), mappings_.end(),
                           [&](const CodeMapping& known) { return known.end <= address; });
  return place != mappings_.end() && place->start <= address ? &*place : nullptr;
}

AddressSpace& AddressSpaces::of(std::uint32_t pid) { return spaces_[pid]; }

void AddressSpaces::fork(std::uint32_t parent, std::uint32_t child) {
  if (const auto known = spaces_.find(parent); known != spaces_.end() && parent != child) {
    AddressSpace copy = known->second;
    spaces_[child] = std::move(copy);
  }
}

}  // namespace spyglass::collector
