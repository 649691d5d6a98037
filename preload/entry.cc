// SPDX-License-Identifier: Apache-2.0
// What happens when the library is loaded.
#include "preload/real.h"
#include "recorder/runtime/session.h"

namespace {

// Early among our own constructors; those of libraries that need none of ours may still run before.
[[gnu::constructor(101)]] void begin() {
  spyglass::real::resolve();
  spyglass::runtime::start_session();
}

}  // namespace
