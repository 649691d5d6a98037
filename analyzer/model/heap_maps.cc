// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/heap_maps.h"

#include <algorithm>

namespace spyglass::model {
namespace {

std::uint64_t end_of(std::uint64_t address, std::uint64_t bytes) {
  return address + std::min(bytes, ~std::uint64_t{0} - address);
}

}  // namespace

void MappedPages::map(std::uint64_t address, std::uint64_t bytes, std::uint32_t node,
                      const Gone& gone) {
  unmap(address, bytes, gone);
  const std::uint64_t end = end_of(address, bytes);
  if (address < end) {
    mappings_[address] = {end, node};
  }
}

void MappedPages::unmap(std::uint64_t address, std::uint64_t bytes, const Gone& gone) {
  const std::uint64_t end = end_of(address, bytes);
  auto at = mappings_.upper_bound(address);
  if (at != mappings_.begin()) {
    --at;
  }
  while (at != mappings_.end() && at->first < end) {
    const std::uint64_t begin = at->first;
    const Mapping mapping = at->second;
    if (mapping.end <= address) {
      ++at;
      continue;
    }
    at = mappings_.erase(at);
    if (begin < address) {
      mappings_[begin] = {address, mapping.node};
    }
    if (end < mapping.end) {
      mappings_[end] = {mapping.end, mapping.node};
    }
    gone(mapping.node, std::min(end, mapping.end) - std::max(begin, address));
  }
}

void MappedPages::clear(const Gone& gone) {
  for (const auto& [begin, mapping] : mappings_) {
    gone(mapping.node, mapping.end - begin);
  }
  mappings_.clear();
}

}  // namespace spyglass::model
