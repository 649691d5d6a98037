// SPDX-License-Identifier: Apache-2.0
// session.h - this process's part in a session: joining it, and beginning anew in a forked child.
//
// The state goes kUnknown -> kStarting -> kOn or kOff. Joining happens in the library's
// constructor, or in the first hook if code of other constructors comes first.
//
//   Where    target side; set-up only.
//   Threads  any; joining is done by one, hooks of others are dropped meanwhile.
//   Errors   the session turns itself off; the program runs as if unprofiled.
#pragma once

#include <atomic>
#include <cstdint>

#include "format/arena.h"

namespace spyglass::runtime {

enum class SessionState : std::uint32_t { kUnknown = 0, kStarting = 1, kOn = 2, kOff = 3 };

struct Session {
  std::atomic<SessionState> state;
  std::uint32_t process_slot;  // index of ours
  format::ArenaHeader* arena;
  format::ProcessSlot* process;
  std::uint64_t mapped_bytes;  // of the arena, from its start; may be a prefix
  std::uint32_t lane_limit;    // lanes that the mapped part holds
  std::uint32_t thread_key;    // pthread key that tells thread exits; ~0: none
  std::uint64_t ticks_per_ns_q32;
  std::uint32_t filtered;  // 1: system calls were filtered (seccomp) before the program began
};
extern Session g_session;

// A page of its own that the kernel wipes in a forked child, however it was made (MADV_WIPEONFORK).
// `recording` is 1 only in a process that has joined; hooks test it before they follow any pointer.
struct alignas(4096) ForkPage {
  std::uint64_t recording;
  char rest[4096 - sizeof(std::uint64_t)];
};
extern ForkPage g_fork_page;

// No more than so much of the arena is to be mapped: a prefix with fewer lanes. Before
// start_session().
void limit_arena(std::uint64_t bytes);

// Joins the session that the environment names, or starts a collector when SPYGLASS_OUTPUT asks for
// one. Does nothing the second time. Async-signal-safe.
void start_session();

bool is_in_session();

// Begins recording in a forked child under a process slot of its own. Async-signal-safe.
void begin_forked_process();

// Stops recording in this process, for good unless it is resumed. False: it was not on.
// Async-signal-safe.
bool pause_recording();
void resume_recording();

// What of the program's allocations no hook sees: format::kAllocator*. Before start_session().
void note_allocator(std::uint32_t traits);

// What of this process is not seen from now on: format::kUnseen*. In a session. Async-signal-safe.
inline void note_unseen(std::uint32_t what) {
  g_session.process->unseen.fetch_or(what, std::memory_order_relaxed);
}

// The process ends with `status`, as given to exit(). Async-signal-safe.
void note_exit(int status);

format::Lane* lane_at(std::uint32_t index);
std::uint32_t index_of(const format::Lane* lane);

}  // namespace spyglass::runtime
