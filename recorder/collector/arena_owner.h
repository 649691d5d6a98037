// SPDX-License-Identifier: Apache-2.0
// arena_owner.h - creates the session's arena and gives checked access to it.
//
// Sizes come from a private copy of the geometry: the copy in the arena is for targets only.
//
//   Where    collector.
//   Threads  targets write into what the accessors return at any time: read each field once (peek).
//   Memory   one mapping of the whole arena, sparse.
//   Errors   create() says why; accessors return null for what lies outside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "format/arena.h"
#include "format/result.h"
#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

struct ArenaSizes {
  std::uint64_t ring_bytes = 256U << 10U;  // rounded up to a power of two
  std::uint64_t tree_bytes = 64U << 20U;
  std::uint64_t heap_bytes = 64U << 20U;
  std::uint32_t lane_count = 16384;
  std::uint32_t process_count = 16384;
  std::uint32_t stack_entries = 1U << 20U;
};

format::ArenaGeometry arena_geometry(const ArenaSizes& sizes);

// Reads a field that a target may be writing.
template <typename T>
inline T peek(const T& field) {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<T>(__atomic_load_n(
        reinterpret_cast<const std::underlying_type_t<T>*>(&field), __ATOMIC_RELAXED));
  } else {
    return __atomic_load_n(&field, __ATOMIC_RELAXED);
  }
}
template <typename T>
inline T peek(const std::atomic<T>& field) {
  return field.load(std::memory_order_relaxed);
}

class Arena {
 public:
  // With fewer lanes than asked for where address space is short.
  static Result<Arena> create(const ArenaSizes& sizes, const format::RecordingOptions& options);
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;
  ~Arena();

  int fd() const { return fd_.get(); }
  const format::ArenaGeometry& geometry() const { return geometry_; }
  format::ArenaHeader& header() const;
  std::uint32_t lanes_used() const;      // bounded by the geometry
  std::uint32_t processes_used() const;  // likewise

  // Requires: index < lane_count or process_count.
  format::Lane& lane(std::uint32_t index) const;
  format::ProcessSlot& process(std::uint32_t index) const;

  std::uint64_t* ring(std::uint32_t lane) const;         // two words for each of ring_records
  const format::Entry* stack(std::uint32_t lane) const;  // stack_entries; the last is the outermost
  // 64 bytes at `cell`, or null; `cells` of them are needed.
  std::byte* cell(std::uint32_t lane, std::uint32_t index, std::uint32_t cells) const;
  format::Node* node(std::uint32_t lane, std::uint32_t index) const;
  format::ModuleRecord* module(std::uint32_t reference) const;  // heap offset / 64
  std::span<std::byte> heap() const;
  // Takes `bytes` of the heap for the collector; returns the offset in it, 0 when full.
  std::uint64_t allocate_heap(std::uint64_t bytes) const;

  // Takes a slot from the free stack or a fresh one; false: none left.
  bool claim_process(std::uint32_t& index) const;
  void free_process(std::uint32_t index) const;
  // Gives a drained lane back; `ring_position` is where draining stopped.
  void free_lane(std::uint32_t index, std::uint64_t ring_position) const;

  void lock_alive_mutex() const;  // by the thread whose death tells that of the collector
  void wake_collector() const;
  // Sleeps until the doorbell differs from `seen` or `timeout_ns` have passed.
  void wait_doorbell(std::uint32_t seen, std::uint64_t timeout_ns) const;

 private:
  static Result<Arena> create_once(const ArenaSizes& sizes,
                                   const format::RecordingOptions& options);
  Arena(UniqueFd fd, std::byte* base, const format::ArenaGeometry& geometry);
  std::byte* slot(std::uint32_t lane) const;
  void push_free(format::FreeStack& stack, std::uint32_t index, std::uint32_t& next) const;
  void trim_lane_memory(std::uint32_t index) const;

  UniqueFd fd_;
  std::byte* base_ = nullptr;
  format::ArenaGeometry geometry_{};
};

void futex_wake_all(std::atomic<std::uint32_t>& word);

}  // namespace spyglass::collector
