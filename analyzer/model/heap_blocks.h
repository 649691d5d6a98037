// SPDX-License-Identifier: Apache-2.0
// heap_blocks.h - the live blocks of one process by address, and the moments when clocks disagree.
//
// Made for this: an event costs one cache line of a table that open addressing keeps dense, and
// removal leaves no tombstones, so the table stays as fast after 10^9 events as after ten.
//
//   Memory   LiveBlocks: 40 bytes for each place; between 1/16 and 3/4 of the places are used.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace spyglass::model {

struct LiveBlock {
  std::uint64_t address = 0;  // 0: a free place
  std::uint64_t bytes = 0;
  std::uint64_t ticks = 0;
  std::uint32_t node = 0;
  std::uint32_t thread = 0;
  std::uint32_t sequence = 0;  // of the thread's allocations
  std::uint32_t chain = 0;     // how often it was moved by realloc
};

class LiveBlocks {
 public:
  std::size_t size() const { return size_; }

  // Null if there is none. Until the next change.
  LiveBlock* find(std::uint64_t address) {
    if (places_.empty() || address == 0) {
      return nullptr;
    }
    for (std::size_t at = home(address);; at = next(at)) {
      LiveBlock& place = places_[at];
      if (place.address == address) {
        return &place;
      }
      if (place.address == 0) {
        return nullptr;
      }
    }
  }

  // Requires: an address other than 0, of no live block.
  void add(const LiveBlock& block) {
    if ((size_ + 1) * 4 > places_.size() * 3) {
      resize(places_.empty() ? kSmallest : places_.size() * 2);
    }
    ++size_;
    put(block);
  }

  // What find() returned. Those that were pushed away by it move back, so nothing is left behind.
  void remove(LiveBlock* block) {
    --size_;
    auto hole = static_cast<std::size_t>(block - places_.data());
    for (std::size_t at = next(hole); places_[at].address != 0; at = next(at)) {
      const std::size_t wish = home(places_[at].address);
      if (((at - wish) & mask()) >= ((at - hole) & mask())) {
        places_[hole] = places_[at];
        hole = at;
      }
    }
    places_[hole].address = 0;
    if (places_.size() > kSmallest && size_ * 16 < places_.size()) {
      resize(places_.size() / 4);
    }
  }

  template <typename Visit>
  void each(Visit&& visit) const {
    for (const LiveBlock& place : places_) {
      if (place.address != 0) {
        visit(place);
      }
    }
  }

  void clear() {
    std::vector<LiveBlock>().swap(places_);
    size_ = 0;
  }

 private:
  static constexpr std::size_t kSmallest = 1024;

  std::size_t mask() const { return places_.size() - 1; }
  std::size_t next(std::size_t at) const { return (at + 1) & mask(); }
  std::size_t home(std::uint64_t address) const {
    const auto bits = static_cast<unsigned>(std::countr_zero(places_.size()));
    return (address * 0x9e3779b97f4a7c15ULL) >> (64U - bits);
  }
  void put(const LiveBlock& block) {
    std::size_t at = home(block.address);
    while (places_[at].address != 0) {
      at = next(at);
    }
    places_[at] = block;
  }
  void resize(std::size_t places) {
    std::vector<LiveBlock> old(places);
    old.swap(places_);
    for (const LiveBlock& block : old) {
      if (block.address != 0) {
        put(block);
      }
    }
  }

  std::vector<LiveBlock> places_;  // a power of two of them
  std::size_t size_ = 0;
};

// Addresses that something happened to a moment ago, on another processor's clock. As few as come
// within that moment; of two that share a place the later one stays.
class RecentAddresses {
 public:
  void note(std::uint64_t address, std::uint64_t ticks, std::uint32_t thread) {
    entries_[place(address)] = {address, ticks, thread};
  }
  // Whether another thread noted it at most `within` ticks ago; then it is forgotten.
  bool take(std::uint64_t address, std::uint64_t ticks, std::uint32_t thread,
            std::uint64_t within) {
    Entry& entry = entries_[place(address)];
    if (entry.address != address || address == 0 || entry.thread == thread ||
        ticks - entry.ticks > within) {
      return false;
    }
    entry.address = 0;
    return true;
  }

 private:
  struct Entry {
    std::uint64_t address = 0;
    std::uint64_t ticks = 0;
    std::uint32_t thread = 0;
  };
  static constexpr std::size_t kEntries = 64;
  static std::size_t place(std::uint64_t address) {
    return (address * 0x9e3779b97f4a7c15ULL) >> 58U;
  }
  std::array<Entry, kEntries> entries_;
};

}  // namespace spyglass::model
