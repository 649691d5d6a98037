// SPDX-License-Identifier: Apache-2.0
// descriptor_call.h - a hook's call that works on a file descriptor, recorded.
//
//   Where    preload/; see operation_call.h.
#pragma once

#include "preload/operation_call.h"
#include "recorder/runtime/descriptors.h"

namespace spyglass::hooks {

// A call that returns how many bytes it moved, or -1.
template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline auto record_transfer(const StackPoint& caller, int fd, Call call) {
  real::make_ready();
  return record_call<kOperation>(
      caller, [&] { return runtime::descriptor_object(fd, caller.pc - 1); }, call,
      outcome_of_transfer<decltype(call())>);
}

// A call that returns -1 when it failed.
template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline auto record_use(const StackPoint& caller, int fd, Call call) {
  real::make_ready();
  return record_call<kOperation>(
      caller, [&] { return runtime::descriptor_object(fd, caller.pc - 1); }, call,
      outcome_of_call<decltype(call())>);
}

}  // namespace spyglass::hooks
