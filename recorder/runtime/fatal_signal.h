// SPDX-License-Identifier: Apache-2.0
// fatal_signal.h - the signal that ends the process, recorded with its stack.
//
// The handler stands in for the default action only, and once (SA_RESETHAND): it records, then the
// same fault happens again, or the same signal is sent again, and ends the process as it would
// have.
//
//   Where    target side; installed by preload/signals.cc.
//   Threads  any.
//   Errors   without room for a handler's frame (a stack overflow without an alternate stack) the
//            kernel ends the process at once, and nothing is recorded.
#pragma once

#include <csignal>
#include <cstdint>

namespace spyglass::runtime {

inline constexpr int kFatalSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};

void on_fatal_signal(int number, siginfo_t* info, void* context);

// Whether this process image is the one that the session knows: not a child of vfork, which shares
// our memory but not the dispositions of signals.
bool in_own_process();

// Whether the stack that the handler runs on has room for `bytes` more: on an alternate stack of
// the smallest size there is only room for a handler's frame. How much other stacks have is not
// known.
bool has_room(const void* context, std::uint64_t bytes);

// Sends the signal to the calling thread again, with what is known of its origin.
void send_again(int number, siginfo_t* info);

}  // namespace spyglass::runtime
