// SPDX-License-Identifier: Apache-2.0
// signals.h - our handlers, which the program does not see.
//
// Fatal signals are ours only while the program leaves them at their default action. The sampling
// signal is ours while the timer samples; what others send goes on to what the program set for it.
//
//   Where    preload/.
//   Threads  install_handlers() while there is one; all else from any.
#pragma once

namespace spyglass::hooks {

void install_handlers();

// Gives fatal signals back to the program, which forbids itself system calls: without them none
// could be sent again. False: they are not ours.
bool release_fatal_signals();

// The other way round.
void take_fatal_signals();

}  // namespace spyglass::hooks
