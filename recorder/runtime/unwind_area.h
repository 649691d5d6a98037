// SPDX-License-Identifier: Apache-2.0
// unwind_area.h - the memory that a thread unwinds with.
//
//   Where    target side; async-signal-safe.
//   Threads  the area of a lane belongs to the lane's owner.
//   Memory   private, about 8 KiB touched per thread that unwinds; taken once for every 64 lanes.
//            Wiped by the kernel in a forked child, like all that is a thread's.
#pragma once

#include "format/arena.h"
#include "recorder/runtime/unwind_walk.h"

namespace spyglass::runtime {

// Null when there is no memory, or for lanes past a bound that no session reaches.
UnwindArea* area_of(const format::Lane* lane);

}  // namespace spyglass::runtime
