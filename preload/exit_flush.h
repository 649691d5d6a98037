// SPDX-License-Identifier: Apache-2.0
// exit_flush.h - what exit() will write of the standard output's buffer, for which there is no
// call.
//
//   Where    preload/; the last handler of exit(): nothing prints after it.
#pragma once

namespace spyglass::hooks {

// Counts the bytes as of a call of exit() that took no time.
void record_exit_flush();

}  // namespace spyglass::hooks
