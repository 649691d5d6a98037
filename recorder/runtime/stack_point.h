// SPDX-License-Identifier: Apache-2.0
// stack_point.h - one frame of a stack: where a thread is, as unwinding needs it.
//
//   Where    target side.
#pragma once

#include <ucontext.h>

#include <cstdint>

namespace spyglass::runtime {

// The registers in a frame, as they will be when the frame goes on at `pc`.
struct StackPoint {
  std::uint64_t pc;
  std::uint64_t sp;
  std::uint64_t rbp;
  bool after_call;  // pc is a return address: the call is just before it
};

// Where a signal handler's `context` interrupted the thread.
inline StackPoint interrupted_point(const ucontext_t& context) {
  const greg_t* registers = context.uc_mcontext.gregs;
  return {static_cast<std::uint64_t>(registers[REG_RIP]),
          static_cast<std::uint64_t>(registers[REG_RSP]),
          static_cast<std::uint64_t>(registers[REG_RBP]), false};
}

// The caller of the function that this is inlined into, which must keep a frame pointer
// (-fno-omit-frame-pointer).
[[gnu::always_inline]] inline StackPoint caller_point() {
  const auto* frame = static_cast<const std::uint64_t*>(__builtin_frame_address(0));
  return {frame[1], reinterpret_cast<std::uint64_t>(frame + 2), frame[0], true};
}

}  // namespace spyglass::runtime
