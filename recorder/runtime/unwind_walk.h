// SPDX-License-Identifier: Apache-2.0
// unwind_walk.h - the frames of a stack, of which only the new ones are unwound.
//
// The memo keeps the previous stack of the thread. Where an unwind reaches a frame that it knows
// (same instruction, stack pointer and rbp), the outer frames are verified: their return addresses
// and saved rbp still stand where they stood. So they are the frames that unwinding would find, and
// what the memo knows of them (cell) still holds.
//
//   Walk walk = start_walk(area, at, stop_sp, limit)
//   memo [0, kept): outer frames, outermost first · fresh [0, count): inner frames, innermost first
//   … find the cells of the fresh frames, keep_frame() them …
//   finish_walk(area, walk)
//
//   Where    target side; async-signal-safe.
//   Threads  an area belongs to one thread; handlers that interrupt an unwind see `depth` and work
//            without the memo.
//   Memory   the area; the stack, as far as it is readable.
//   Errors   a smashed stack ends kStuck; never a fault.
#pragma once

#include <cstdint>

#include "recorder/runtime/unwind_window.h"
#include "recorder/unwind/rule.h"

namespace spyglass::runtime {

inline constexpr std::uint32_t kDefaultFrames = 512;
inline constexpr std::uint32_t kMaxFrames = 1024;

struct StackFrame {
  std::uint64_t pc;      // an address inside the instruction, see unwind::Registers::rule_pc()
  std::uint64_t sp;      // when the frame goes on; right below it its callee's return address
  std::uint64_t rbp;     // likewise
  std::uint64_t rbp_at;  // where the callee saved it; 0: nowhere
  std::uint32_t cell;    // the caller's: of the frame's node
  std::uint32_t flags;
};
inline constexpr std::uint32_t kFrameReachedOddly = 1;  // from its callee by more than two reads
inline constexpr std::uint32_t kFrameIsExact = 2;       // went on at pc + 1, but not after a call
inline constexpr std::uint32_t kFrameIsOwn = 4;         // of libspyglass.so
inline constexpr std::uint32_t kFrameIsStop = 8;        // the one that holds `stop_sp`
inline constexpr std::uint32_t kFrameIsOutermost = 16;  // by its rule
inline constexpr std::uint32_t kFrameIsLeftOut = 32;    // the caller's: it has no node of its own

enum class WalkEnd : std::uint32_t {
  kOutermost,
  kStop,   // reached the frame that holds `stop_sp`
  kStuck,  // can't be followed
  kLimit,
};

struct Walk {
  std::uint32_t kept;
  std::uint32_t count;
  WalkEnd end;
  bool visited;  // on another stack than the thread's own: nothing to remember
};

// An unwind whose rules must all be read takes 3.3 KiB of it.
inline constexpr std::uint64_t kSamplingStackBytes = 8192;

struct UnwindArea {
  // What the memo holds is for these only.
  std::uint64_t owner;  // Lane::birth_ticks of the thread; 0: the area is new
  std::uint64_t epoch;  // g_rule_epoch
  std::uint64_t stop_sp;
  std::uint32_t stop_cell;
  std::uint32_t memo_count;  // frames that are whole
  WalkEnd memo_end;

  std::uint32_t depth;     // unwinds that are under way: signal handlers interrupt
  std::uint64_t outer_sp;  // where the outermost of them began
  std::uint64_t starts;    // of outermost unwinds
  HomeStack home;

  StackFrame memo[kMaxFrames];
  StackFrame fresh[kMaxFrames];   // of the outermost unwind
  StackFrame nested[kMaxFrames];  // of one in a handler that interrupted it

  // What the handler of samples runs on: the program's stack need only hold the kernel's frame.
  alignas(16) std::uint8_t sampling_stack[kSamplingStackBytes];
};

// `limit`: frames, at most kMaxFrames. `stop_sp`: ends with the frame that holds this address; ~0:
// none does. Keeps the memo's first frames.
Walk start_walk(UnwindArea& area, const unwind::Registers& at, std::uint64_t stop_sp,
                std::uint32_t limit);
// The same without the memo, into area.nested.
Walk start_nested_walk(UnwindArea& area, const unwind::Registers& at, std::uint64_t stop_sp,
                       std::uint32_t limit);

// Whether the stack can be remembered at all: it is whole, and of a stack that stays.
inline bool is_lasting(const Walk& walk) { return walk.end != WalkEnd::kLimit && !walk.visited; }

// Puts a fresh frame into the memo, with its cell. A frame whose rbp its callee kept is compared
// with itself.
inline void keep_frame(StackFrame& to, const StackFrame& from, std::uint32_t cell) {
  const auto itself = reinterpret_cast<std::uint64_t>(&to.rbp);
  to = {from.pc, from.sp, from.rbp, from.rbp_at != 0 ? from.rbp_at : itself, cell, from.flags};
}

// Remembers the stack. Of a lasting one, keep_frame() was called for every fresh frame, outermost
// first, to memo[kept] and on.
void finish_walk(UnwindArea& area, const Walk& walk);

}  // namespace spyglass::runtime
