// SPDX-License-Identifier: Apache-2.0
// switch_trial.h - tries by what sign this kernel lets a thread see that it was off the CPU.
//
//   Where    collector's process, once, before the program begins.
//   Threads  the calling one, which sleeps for a moment.
#pragma once

#include "format/arena.h"

namespace spyglass::collector {

// kRseq where a sleep takes the sign away, else kPerf, which the target tries for itself.
format::SwitchSign best_switch_sign();

}  // namespace spyglass::collector
