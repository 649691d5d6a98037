// SPDX-License-Identifier: Apache-2.0
// operation.h - records one call of an interposed function: the door for hooks in preload/.
//
//   const OpenOperation open = begin_operation(Operation::k_read, caller_point(), object);
//   const ssize_t result = real::read(...);
//   end_operation(open, {result});
//
// Both keep errno. A call that never returns (longjmp, cancellation, exception, exit) is closed
// like any abandoned call. The call is a node below its calling context, the object a node below
// that: both count it and time it.
//
//   Where    target side; async-signal-safe.
//   Threads  each on its own lane.
//   Errors   none; what can't be recorded is dropped and counted.
#pragma once

#include <cstdint>

#include "format/arena.h"
#include "format/operation.h"
#include "recorder/runtime/stack_point.h"

namespace spyglass::runtime {

struct OpenOperation {
  format::Lane* lane;  // null: this call is not recorded
  std::uint64_t sp;
  std::uint64_t start_ticks;
  std::uint32_t object_cell;  // of the object's node, else of the operation's
};

// Recorded, and by this thread: not in a child that came back from the operation.
bool is_current(const OpenOperation& open);

struct OperationResult {
  std::uint64_t bytes;
  bool failed;
};

// Whether calls of this class are to be recorded now in this process; cheap. A hook that gets false
// calls the real function and does nothing else.
bool records(format::OperationClass kind);

// Whether threads are recorded that may never call a hook: where operations or samples are.
bool records_all_threads();

// `object`: reference from find_object(), 0: none.
OpenOperation begin_operation(format::Operation operation, const StackPoint& caller,
                              std::uint32_t object);
// What it acts on is known only now, before end_operation(): as if begin_operation() had been told.
void set_object(OpenOperation& open, std::uint32_t object);
// Returns how long it took in ticks; 0 when it was not recorded.
std::uint64_t end_operation(const OpenOperation& open, OperationResult result);

// The session-wide reference of an object; the same for the same (kind, address, name) in one
// process. `pc`: where it is met now. 0 when the table is full.
std::uint32_t find_object(format::ObjectKind kind, std::uint64_t address, const char* name,
                          std::uint32_t name_bytes, std::uint64_t pc);

// An event of the thread; see format::EventKind and RingKind::kEvent. `keep`: waits for room for a
// bounded time rather than drop it.
struct EventParts {
  std::uint32_t kind;  // format::EventKind
  std::uint32_t node_cell;
  std::uint64_t start_ticks;
  std::uint64_t duration_ticks;
  std::uint32_t other_cell;
  std::uint32_t other_lane;
  std::uint64_t value;
  const char* text;
  std::uint32_t text_bytes;
};
void push_event(format::Lane* lane, const EventParts& event, bool keep);

}  // namespace spyglass::runtime
