// SPDX-License-Identifier: Apache-2.0
// heap_maps.h - the pages that a process mapped itself, as intervals: what goes may be a part of
// one mapping, or of several.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

namespace spyglass::model {

class MappedPages {
 public:
  // Told how many bytes of which node's mappings went.
  using Gone = std::function<void(std::uint32_t node, std::uint64_t bytes)>;

  // A new mapping takes the place of what was there.
  void map(std::uint64_t address, std::uint64_t bytes, std::uint32_t node, const Gone& gone);
  void unmap(std::uint64_t address, std::uint64_t bytes, const Gone& gone);
  // All of them, at the end of a process.
  void clear(const Gone& gone);

 private:
  struct Mapping {
    std::uint64_t end = 0;
    std::uint32_t node = 0;
  };
  std::map<std::uint64_t, Mapping> mappings_;  // by begin; they don't overlap
};

}  // namespace spyglass::model
