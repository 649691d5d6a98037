// SPDX-License-Identifier: Apache-2.0
// lane.h - the calling thread's lane: taking one, and saying that the thread ends.
//
//   Where    target side. t_lane is read by every hook; the rest is rare.
//   Threads  a lane belongs to one thread until the collector has seen that thread die.
//   Errors   no lane free: the thread stays unrecorded and is counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/arena.h"

namespace spyglass::runtime {

struct ThreadState {
  format::Lane* lane;
  std::uint32_t busy;     // 1 while the lane is being set up: hooks of signal handlers are dropped
  std::uint32_t refused;  // 1: no lane was free for this thread
  std::uint32_t own_descriptors;  // 1: its table is not the process's, see descriptors.h
};
// `busy` while the thread runs code of the program that it would not have run without us: hooks do
// nothing, and nothing is lost.
inline constexpr std::uint32_t kThreadMuted = 2;
extern __thread ThreadState t_thread;

inline format::Node* node_at(const format::Lane* lane, std::uint32_t cell) {
  return reinterpret_cast<format::Node*>(lane->cells + std::uint64_t{cell} * 64U);
}
inline std::uint32_t cell_of(const format::Lane* lane, const void* node) {
  return static_cast<std::uint32_t>((reinterpret_cast<std::uint64_t>(node) - lane->cells) / 64U);
}

inline std::uint32_t* lookup_slot(const format::Lane* lane, std::uint32_t parent_cell,
                                  std::uint64_t address) {
  const auto table = reinterpret_cast<std::uint64_t>(lane) + format::kLookupDistance;
  return reinterpret_cast<std::uint32_t*>(table) + format::lookup_index(parent_cell, address);
}

// The innermost open call; the entry below the stack's base is a sentinel whose node is the root.
inline format::Entry* top_of(const format::Lane* lane) {
  return reinterpret_cast<format::Entry*>(lane->top);
}
format::Entry* base_of(const format::Lane* lane);  // the sentinel

// Marks the entries from lane->top down to the next boundary vacant, if they never were.
void make_stack_ready(format::Lane* lane);

// The thread's lane, set up if this is its first hook (or its first after a fork); null when this
// thread is not recorded.
format::Lane* ready_lane();

// The stack of open calls at fork, carried to the child in private memory.
struct ForkedPath {
  struct Call {
    std::uint64_t address;
    std::uint64_t sp;
  };
  std::size_t count;
  std::uint64_t bytes;  // of this mapping

  // Outermost first; they follow this header.
  Call* calls() { return reinterpret_cast<Call*>(this + 1); }
  const Call* calls() const { return reinterpret_cast<const Call*>(this + 1); }
};

// In the parent before fork: the open calls of the calling thread; null if there are none.
ForkedPath* copy_open_calls();
void free_open_calls(ForkedPath* path);

// In the child: opens the calls in `path` again on the thread's new lane.
void reopen_calls(const ForkedPath& path);

// The thread has another name now.
void note_thread_name();

// The thread is about to end: takes its last CPU time and tells the collector. Hooks still work
// after.
void note_thread_exit();

}  // namespace spyglass::runtime
