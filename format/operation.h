// SPDX-License-Identifier: Apache-2.0
// operation.h - the interposed functions as the recording knows them, and what they act on.
//
// A call of one is a node like any other: below the calling context, with the operation in place of
// a function; what it acted on (a lock, a file, an exception's type) is a node below that. So
// counts, times and percentiles are exact for each stack and each object without an event.
//
//   Where    everywhere; no memory, no libstdc++ symbols.
#pragma once

#include <cstdint>

namespace spyglass::format {

enum class OperationClass : std::uint8_t {
  kLock = 0,
  kCondition = 1,
  kJoin = 2,
  kSleep = 3,
  kRead = 4,
  kWrite = 5,
  kPoll = 6,
  kConnect = 7,
  kFile = 8,
  kProcess = 9,
  kLoader = 10,
  kException = 11,
  kSignal = 12,
  kMemory = 13,  // counted and kept as AllocationRecords, not timed
};
inline constexpr unsigned kOperationClasses = 14;

enum class Operation : std::uint32_t {
#define SPYGLASS_OPERATION(name, kind) k_##name,
#define SPYGLASS_OPERATOR(name, kind, shown) k_##name,
#include "format/operations.inc"
#undef SPYGLASS_OPERATOR
#undef SPYGLASS_OPERATION
  kCount
};

struct OperationInfo {
  const char* name;
  OperationClass kind;
};

inline constexpr OperationInfo kOperations[] = {
#define SPYGLASS_OPERATION(name, kind) {#name, OperationClass::kind},
#define SPYGLASS_OPERATOR(name, kind, shown) {shown, OperationClass::kind},
#include "format/operations.inc"
#undef SPYGLASS_OPERATOR
#undef SPYGLASS_OPERATION
};

// As reports name them; also the values of the JSON's "class".
inline constexpr const char* kOperationClassNames[kOperationClasses] = {
    "lock",    "condition", "join",    "sleep",  "read",      "write",  "poll",
    "connect", "file",      "process", "loader", "exception", "signal", "memory"};

// What the events of a thread say; other: the event's second node.
enum class EventKind : std::uint32_t {
  kSample = 1,       // value: how many periods it stands for
  kContention = 2,   // a lock was waited for (node: the lock's); other: what its holder did last,
                     // value: the lock's holder as the target sees it (tid); text: kStillWaiting
                     // if the thread ended in the wait
  kException = 3,    // thrown at `start`, caught after `duration` at the other node (0: never);
                     // value: frames unwound; text: what()
  kFatalSignal = 4,  // value: the fault's address
  kLockOrder = 5,    // the node's lock was taken while the other node's was held; the value has a
                     // bit for each other lock that was held
};

inline constexpr const char* kStillWaiting = "still waiting";

// What an AllocationRecord says.
enum class AllocationKind : std::uint32_t {
  kAllocate = 0,  // `address` came into the program's hands; `bytes`: as asked for
  kFree = 1,
  kMoveFrom = 2,  // realloc gave `address` up: a free; the thread's next kMoveTo is what came of it
  kMoveTo = 3,    // an allocation
  kMap = 4,       // pages [address, address + bytes), by the program itself
  kUnmap = 5,     // some of them, maybe of several mappings, are gone
};

// Which allocations are kept.
enum class MemoryMode : std::uint32_t {
  kOff = 0,
  kFull = 1,    // all
  kSample = 2,  // each byte with the same probability: Poisson with a mean of so many bytes
};

// What an operation acts on.
enum class ObjectKind : std::uint32_t {
  kUnknown = 0,
  kLock = 1,  // mutex, rwlock, spin lock, condition variable, semaphore, barrier
  kFile = 2,  // name: its path
  kPipe = 3,
  kSocket = 4,  // name: family and peer address
  kTerminal = 5,
  kDescriptor = 6,  // any other: eventfd, epoll, timerfd …
  kThread = 7,
  kProcess = 8,
  kExceptionType = 9,  // name: mangled
  kModule = 10,        // name: as given to dlopen
  kSignal = 11,        // name: SIGSEGV …
};

}  // namespace spyglass::format
