// SPDX-License-Identifier: Apache-2.0
// allocations.h - records what the program allocates and gives back: the door for allocation hooks.
//
//   if (!enters_allocator(sp)) → the real function, and nothing else: an outer hook records it
//   p = real::malloc(bytes);
//   leave_allocator();
//   record_allocation(Operation::k_malloc, caller_point(), p, bytes);
//
// operator new has its memory from malloc() as a rule: it says so before (ThreadMemory::wanted),
// and the hook of malloc() records its allocation under its name and stack; only what is still
// wanted afterwards came from elsewhere.
//
// An allocation is counted at its operation's node below its calling context, and is an event; what
// gives memory back is an event below the innermost open call: its stack is not unwound. Nothing is
// timed. Events wait for room in the ring for a bounded time before they are dropped.
//
//   Where    target side; async-signal-safe; keeps errno.
//   Threads  each on its own lane.
//   Errors   none; what can't be recorded is dropped and counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "format/operation.h"
#include "recorder/runtime/stack_point.h"

namespace spyglass::runtime {

// kUndecided until the process has joined a session, or found none: then the first allocations are
// written down and told later.
inline constexpr auto kUndecided = static_cast<format::MemoryMode>(0xff);
extern format::MemoryMode g_memory_mode;
void decide_memory_mode(format::MemoryMode mode);

struct ThreadMemory {
  std::uint64_t outer_sp;     // of the allocation hook that is under way; 0: none
  StackPoint wanted_by;       // who called operator new,
  std::size_t wanted_bytes;   // so many,
  std::uint32_t wanted;       // which is not yet satisfied: its Operation + 1; 0: none
  const void* smaller;        // a block that came meanwhile, recorded as what it is
  const void* released;       // by operator delete, which recorded it; null: none
  std::int64_t sample_after;  // kSample: so many bytes from now
  std::uint64_t random;       // 0: no sample was drawn yet
  std::uint64_t full_at;      // Lane::ring_tail where waiting for room was given up
};
extern __thread ThreadMemory t_memory;

// A mark that was left behind by a jump out of the allocator is void: what comes after is not
// deeper on the stack, or the jump was seen (forget_allocator()).
inline bool enters_allocator(std::uint64_t sp) {
  if (__builtin_expect(static_cast<long>(t_memory.outer_sp > sp), 0) != 0) {
    return false;
  }
  t_memory.outer_sp = sp;
  return true;
}
inline void leave_allocator() { t_memory.outer_sp = 0; }
// The program leaves frames without a return, by an exception or a jump.
inline void forget_allocator() {
  t_memory.outer_sp = 0;
  t_memory.wanted = 0;
  t_memory.released = nullptr;
}

// operator new begins. False: as a part of another one.
inline bool wants_memory(format::Operation operation, const StackPoint& caller, std::size_t bytes) {
  if (t_memory.wanted != 0 && t_memory.wanted_by.sp > caller.sp) {
    return false;
  }
  t_memory.wanted_by = caller;
  t_memory.wanted_bytes = bytes;
  t_memory.smaller = nullptr;
  t_memory.wanted = static_cast<std::uint32_t>(operation) + 1;
  return true;
}

[[gnu::cold, gnu::noinline]] bool draw_sample(std::size_t bytes);
bool is_sampled(const void* address);

// Whether an allocation of so many bytes is to be recorded. Requires: g_memory_mode is not kOff.
inline bool keeps_allocation(std::size_t bytes) {
  if (g_memory_mode != format::MemoryMode::kSample) {
    return true;
  }
  const auto counted = static_cast<std::int64_t>(bytes == 0 ? 1 : bytes);
  t_memory.sample_after -= counted;
  return __builtin_expect(static_cast<long>(t_memory.sample_after < 0 || counted < 0), 0) != 0 &&
         draw_sample(bytes);
}
// Whether giving this back is to be recorded. Likewise.
inline bool keeps_release(const void* address) {
  return g_memory_mode != format::MemoryMode::kSample || is_sampled(address);
}

// `address` null: it failed. What operator new wanted is recorded as such.
void record_allocation(format::Operation operation, const StackPoint& caller, const void* address,
                       std::size_t bytes);
// Right before the real function takes it.
void record_release(format::Operation operation, const void* address);
// realloc() made `to` of `from`; both are blocks. `before_ticks`: from before it was called.
void record_move(format::Operation operation, const StackPoint& caller, const void* from,
                 std::uint64_t before_ticks, const void* to, std::size_t bytes);
// realloc() gave `address` back, as is known only now.
void record_late_release(format::Operation operation, const void* address,
                         std::uint64_t before_ticks);
// Pages. With kSample likewise: they are few.
void record_map(format::Operation operation, const StackPoint& caller, std::uint64_t address,
                std::uint64_t bytes);
void record_unmap(format::Operation operation, std::uint64_t address, std::uint64_t bytes,
                  std::uint64_t before_ticks);

}  // namespace spyglass::runtime
