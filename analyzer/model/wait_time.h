// SPDX-License-Identifier: Apache-2.0
// wait_time.h - time off the CPU of waits that reach over an end of what is counted.
//
// Hooks tell it when a call returns, all of it then, and never of a call that does not return. What
// was under way at an end of a range is put where it belongs by these.
//
//   Memory  none.
//   Errors  none.
#pragma once

#include <cstdint>

#include "analyzer/model/node_table.h"
#include "analyzer/model/thread_table.h"

namespace spyglass::model {

// Operations that give up the CPU until there is something to go on with.
bool waits(const RecordedNode& node);

// The thread waited `ticks` in a call of `node` that no counter tells of.
void count_wait(RecordedNode& node, ThreadCounts& thread, std::uint64_t ticks);
// Of the time off the CPU that is counted, `ticks` were before the range. What the call did on the
// CPU is not known apart, so this takes no more than there is.
void take_back_wait(RecordedNode& node, ThreadCounts& thread, std::uint64_t ticks);

}  // namespace spyglass::model
