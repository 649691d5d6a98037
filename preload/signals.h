// SPDX-License-Identifier: Apache-2.0
// signals.h - our handlers, which the program does not see.
//
// Fatal signals are ours only while the program leaves them at their default action. The sampling
// signal is ours while the timer samples; what others send goes on to what the program set for it.
//
//   Where    preload/.
//   Threads  install_handlers() while there is one; the hooks from any.
#pragma once

namespace spyglass::hooks {

void install_handlers();

}  // namespace spyglass::hooks
