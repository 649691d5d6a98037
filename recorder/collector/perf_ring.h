// SPDX-License-Identifier: Apache-2.0
// perf_ring.h - the shared ring of one perf event, read record by record.
//
//   Where    collector.
//   Threads  one reader; the kernel writes.
//   Memory   owns the mapping and the descriptor. A record stays valid until the next call.
//   Errors   a record whose size makes no sense: what is in the ring is passed over.
#pragma once

#include <linux/perf_event.h>

#include <cstdint>
#include <span>
#include <vector>

#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

class PerfRing {
 public:
  // `pages`: the mapping of `fd`, one control page and `bytes` of data, a power of two.
  PerfRing(UniqueFd fd, void* pages, std::size_t bytes);
  // For tests: reads what is at `data`, as if the kernel had written [0, head).
  PerfRing(perf_event_mmap_page* control, const std::uint8_t* data, std::size_t bytes);
  PerfRing(PerfRing&& other) noexcept;
  PerfRing& operator=(PerfRing&&) = delete;
  ~PerfRing();

  int fd() const { return fd_.get(); }
  // Looks what the kernel has written meanwhile.
  void refresh();
  // The oldest record; empty: none.
  std::span<const std::uint8_t> front();
  void pop();
  // Tells the kernel that what was popped is free.
  void release();

 private:
  UniqueFd fd_;
  perf_event_mmap_page* control_;
  const std::uint8_t* data_;
  std::size_t bytes_;
  std::size_t mapped_bytes_ = 0;  // 0: not ours
  std::uint64_t head_ = 0;
  std::uint64_t tail_ = 0;
  std::size_t front_bytes_ = 0;  // of the record that front() gave
  std::vector<std::uint8_t> joined_;
};

}  // namespace spyglass::collector
