// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/perf_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <utility>

namespace spyglass::collector {

PerfRing::PerfRing(UniqueFd fd, void* pages, std::size_t bytes)
    : fd_(std::move(fd)),
      control_(static_cast<perf_event_mmap_page*>(pages)),
      data_(static_cast<const std::uint8_t*>(pages) + ::sysconf(_SC_PAGESIZE)),
      bytes_(bytes),
      mapped_bytes_(bytes + static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))) {}

PerfRing::PerfRing(perf_event_mmap_page* control, const std::uint8_t* data, std::size_t bytes)
    : control_(control), data_(data), bytes_(bytes) {}

PerfRing::PerfRing(PerfRing&& other) noexcept
    : fd_(std::move(other.fd_)),
      control_(other.control_),
      data_(other.data_),
      bytes_(other.bytes_),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)),
      head_(other.head_),
      tail_(other.tail_),
      front_bytes_(other.front_bytes_),
      joined_(std::move(other.joined_)) {}

PerfRing::~PerfRing() {
  if (mapped_bytes_ != 0) {
    ::munmap(control_, mapped_bytes_);
  }
}

void PerfRing::refresh() {
  // Acquire: pairs with the kernel's store, so that the records are whole.
  head_ = __atomic_load_n(&control_->data_head, __ATOMIC_ACQUIRE);
  if (head_ - tail_ > bytes_) {
    tail_ = head_;
  }
}

std::span<const std::uint8_t> PerfRing::front() {
  front_bytes_ = 0;
  if (head_ - tail_ < sizeof(perf_event_header)) {
    return {};
  }
  // Records are multiples of 8, so a header never wraps.
  const std::size_t at = static_cast<std::size_t>(tail_) & (bytes_ - 1);
  perf_event_header header = {};
  if (bytes_ - at < sizeof(header)) {
    tail_ = head_;
    return {};
  }
  std::memcpy(&header, data_ + at, sizeof(header));
  if (header.size < sizeof(header) || header.size > head_ - tail_) {
    tail_ = head_;
    return {};
  }
  front_bytes_ = header.size;
  if (front_bytes_ <= bytes_ - at) {
    return {data_ + at, front_bytes_};
  }
  const std::size_t first = bytes_ - at;
  joined_.resize(front_bytes_);
  std::memcpy(joined_.data(), data_ + at, first);
  std::memcpy(joined_.data() + first, data_, front_bytes_ - first);
  return joined_;
}

void PerfRing::pop() { tail_ += std::exchange(front_bytes_, 0); }

void PerfRing::release() {
  // Release: the kernel may overwrite only what was read.
  __atomic_store_n(&control_->data_tail, tail_, __ATOMIC_RELEASE);
}

}  // namespace spyglass::collector
