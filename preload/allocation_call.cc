// SPDX-License-Identifier: Apache-2.0
#include "preload/allocation_call.h"

namespace spyglass::hooks {

void note_reallocation(Operation operation, const StackPoint& caller, const GivenBlock& given,
                       const void* moved, std::size_t bytes) {
  const bool keeps_new = runtime::keeps_allocation(bytes);
  if (moved == nullptr && bytes != 0) {
    if (keeps_new) {
      runtime::record_allocation(operation, caller, nullptr, bytes);  // the block stays
    }
    return;
  }
  const bool keeps_old = runtime::keeps_release(given.address);
  if (moved != nullptr && keeps_old && keeps_new) {
    return runtime::record_move(operation, caller, given.address, given.before_ticks, moved, bytes);
  }
  if (keeps_old) {
    runtime::record_late_release(operation, given.address, given.before_ticks);
  }
  if (moved != nullptr && keeps_new) {
    runtime::record_allocation(operation, caller, moved, bytes);
  }
}

}  // namespace spyglass::hooks
