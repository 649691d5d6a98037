// SPDX-License-Identifier: Apache-2.0
// exception_record.h - exceptions between their throw and their catch.
//
// A throw is an operation that never returns: its node (calling context, __cxa_throw, the type)
// counts it when the frame that threw is left, whatever comes after. Until the exception is caught
// it is also kept here, so that the event can say where that was and what it cost. Exceptions
// nest: destructors that run while one is in flight throw and catch others.
//
//   Where    target side; async-signal-safe, but for what `text_of` does.
//   Threads  each on its own lane.
//   Memory   in the lane's slot, behind Lane; kMostThrows in flight, the outermost is given up.
//   Errors   an exception that nobody is seen to catch becomes an event without a catching node.
#pragma once

#include <cstdint>

#include "format/arena.h"
#include "format/operation.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/stack_point.h"

namespace spyglass::runtime {

// As the C++ runtime knows it.
struct Thrown {
  const void* object;  // null: unknown
  const void* type;    // std::type_info
};

// What the exception says of itself; null: nothing. May run the program's code.
using TextOf = const char* (*)(const Thrown& thrown);

// `type_name`: mangled; null: unknown.
void record_throw(format::Operation operation, const StackPoint& caller, const Thrown& thrown,
                  const char* type_name);

// Calls a function of the program that it would not have called without us: hooks do nothing
// meanwhile. As little as may be happens in there, for calls of a signal handler that comes in
// between are not told from the function's.
const char* call_muted(const char* (*function)(const void*), const void* object);

// Whether the calling thread has any in flight; cheap.
bool throws_pending();

// The exception with `object` is caught by the code at `at`; nothing happens if its throw was not
// seen. `by_runtime`: that code is the C++ runtime's. It catches what nobody else does, from below
// the frame that threw, to end the program.
void record_catch(const void* object, const StackPoint& at, bool by_runtime, TextOf text_of);

// std::terminate() is called.
void record_termination(const StackPoint& caller, TextOf text_of);

// Whatever is in flight on the lane will not be caught.
void record_escapes(format::Lane* lane, TextOf text_of);

// The lane has a new owner.
void forget_throws(format::Lane* lane);

}  // namespace spyglass::runtime
