// SPDX-License-Identifier: Apache-2.0
// What happens when the library is loaded.
#include "preload/cxx_runtime.h"
#include "preload/early_memory.h"
#include "preload/exit_flush.h"
#include "preload/real.h"
#include "preload/signals.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"

namespace {

void note_exit_status(int status, void* /*unused*/) {
  spyglass::hooks::record_exit_flush();
  spyglass::runtime::note_exit(status);
}

// Early among our own constructors; those of libraries that need none of ours may still run before.
[[gnu::constructor(101)]] void begin() {
  spyglass::real::resolve();
  spyglass::hooks::find_first_runtime();
  spyglass::runtime::note_allocator(spyglass::hooks::allocator_traits());
  spyglass::runtime::start_session();
  if (spyglass::runtime::is_in_session()) {
    spyglass::real::on_exit(note_exit_status, nullptr);
  }
  if (spyglass::runtime::records_all_threads()) {
    spyglass::runtime::ready_lane();
  }
  spyglass::hooks::install_handlers();
}

}  // namespace
