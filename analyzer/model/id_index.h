// SPDX-License-Identifier: Apache-2.0
// id_index.h - ids as they stand in a recording to dense slots, in order of first appearance.
//
// Ids are small in honest recordings and looked up per span, hence the array; a damaged or hostile
// one can hold any number, hence the map.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace spyglass::model {

class IdIndex {
 public:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::uint32_t find(std::uint32_t id) const {
    if (id < dense_.size()) {
      return dense_[id];
    }
    const auto place = sparse_.find(id);
    return place == sparse_.end() ? kNone : place->second;
  }

  // The slot of `id`; `count` (the next free slot) if it is new.
  std::uint32_t find_or_add(std::uint32_t id, std::uint32_t count) {
    if (id >= kDenseIds) {
      return sparse_.try_emplace(id, count).first->second;
    }
    if (id >= dense_.size()) {
      const std::size_t grown = std::max<std::size_t>(id + 1U, dense_.size() * 2);
      dense_.resize(std::min<std::size_t>(grown, kDenseIds), kNone);
    }
    return dense_[id] == kNone ? dense_[id] = count : dense_[id];
  }

 private:
  static constexpr std::uint32_t kDenseIds = 1U << 23U;
  std::vector<std::uint32_t> dense_;
  std::unordered_map<std::uint32_t, std::uint32_t> sparse_;
};

}  // namespace spyglass::model
