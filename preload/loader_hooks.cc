// SPDX-License-Identifier: Apache-2.0
// dlclose: afterwards another library may stand at the same addresses.
#include "preload/real.h"
#include "recorder/runtime/modules.h"

extern "C" [[gnu::visibility("default")]] int dlclose(void* handle) {
  spyglass::real::resolve();
  const int result = spyglass::real::dlclose(handle);
  spyglass::runtime::note_unloads();
  return result;
}
