// SPDX-License-Identifier: Apache-2.0
// calling_context.h - the node of the stack that a thread is in.
//
// In code with hooks the innermost open call is the context already; what lies between it and the
// stack point is unwound. Nodes of frames carry kPcTag.
//
//   Where    target side; async-signal-safe.
//   Threads  the lane's owner.
//   Errors   a stack that cannot be followed to its end hangs below a kTruncatedTag node, and is
//            counted in Lane::stacks_truncated; one whose inner frames are left out past the tree's
//            bound, in Lane::stacks_shortened.
#pragma once

#include "format/arena.h"
#include "recorder/runtime/stack_point.h"

namespace spyglass::runtime {

// Never null while the lane is live: past the tree's bound, an existing node.
format::Node* calling_context(format::Lane* lane, const StackPoint& at);

}  // namespace spyglass::runtime
