// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/calling_context.h"

#include "recorder/runtime/record.h"

namespace spyglass::runtime {

format::Node* calling_context(format::Lane* lane, const StackPoint& /*at*/) {
  return innermost_call(lane).node;
}

}  // namespace spyglass::runtime
