// SPDX-License-Identifier: Apache-2.0
// call_on_stack.h - runs a function on another stack than the thread's.
//
//   Where    target side; async-signal-safe.
//   Threads  nobody else may be on that stack: its user blocks all signals.
#pragma once

namespace spyglass::runtime {

// Calls function(argument) with the stack that ends at `top`, a multiple of 16, and returns to the
// caller's.
extern "C" [[gnu::visibility("hidden")]] void spyglass_call_on_stack(void* top,
                                                                     void (*function)(void*),
                                                                     void* argument);

}  // namespace spyglass::runtime
