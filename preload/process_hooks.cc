// SPDX-License-Identifier: Apache-2.0
// _exit: leaves its status behind for collectors that are not the parent. exit() passes an on_exit
// handler instead.
#include "preload/real.h"
#include "recorder/runtime/session.h"

extern "C" {

[[gnu::visibility("default"), gnu::noreturn]] void _exit(int status) {
  spyglass::real::resolve();
  spyglass::runtime::note_exit(status);
  spyglass::real::_exit(status);
  __builtin_unreachable();
}

[[gnu::visibility("default"), gnu::noreturn]] void _Exit(int status) noexcept {
  spyglass::real::resolve();
  spyglass::runtime::note_exit(status);
  spyglass::real::_Exit(status);
  __builtin_unreachable();
}

}  // extern "C"
