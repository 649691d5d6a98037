// SPDX-License-Identifier: Apache-2.0
// shared_stop.h - spyglass-run stops when its program was stopped, so that a shell sees the job
// stopped, and goes on when the program does, whoever was told to go on.
//
//   Where    spyglass-run's main thread.
//   Errors   none: without a helper, only a SIGCONT to spyglass-run ends the stop.
#pragma once

#include <sys/types.h>

namespace spyglass::collector {

// Whether `child` has gone on, or ended, since waitpid() last told of a stop of it; it may be
// stopped anew. The kernel says so, not its state at this moment. It stays waitable.
// Requires: nobody takes these events from the kernel, as waitpid() with WCONTINUED does.
bool went_on_since_stop(pid_t child);

// Returns after a SIGCONT to this process, or once `child` goes on or has ended: a stopped process
// learns of neither, so a helper, outside of the job and gone afterwards, looks for it.
void stop_with(pid_t child);

}  // namespace spyglass::collector
