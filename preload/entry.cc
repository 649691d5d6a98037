// SPDX-License-Identifier: Apache-2.0
// What happens when the library is loaded.
#include "preload/cxx_runtime.h"
#include "preload/early_memory.h"
#include "preload/real.h"
#include "preload/signals.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"

namespace {

// Early among our own constructors; those of libraries that need none of ours may still run before.
[[gnu::constructor(101)]] void begin() {
  spyglass::real::resolve();
  spyglass::hooks::find_first_runtime();
  spyglass::runtime::note_allocator(spyglass::hooks::allocator_traits());
  spyglass::runtime::start_session();
  if (spyglass::runtime::records_all_threads()) {
    spyglass::runtime::ready_lane();
  }
  spyglass::hooks::install_handlers();
}

}  // namespace
