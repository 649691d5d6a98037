// SPDX-License-Identifier: Apache-2.0
// launch_collector.h - starts spyglass-run as the collector of a program that was started without
// it.
//
//   Where    target side, in the library's constructor, only when SPYGLASS_OUTPUT is set.
//   Errors   -1: the program runs unrecorded, and one line on stderr says so.
#pragma once

namespace spyglass::runtime {

// A socket connected to a new collector, or -1. The collector is no child of the program (it is
// started by a process that ends at once), so waits and signals of the program never meet it. Sets
// SPYGLASS_SESSION, so that programs that this one starts can join.
long launch_collector();

}  // namespace spyglass::runtime
