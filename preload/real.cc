// SPDX-License-Identifier: Apache-2.0
#include "preload/real.h"

#include <dlfcn.h>

namespace spyglass::real {

#define SPYGLASS_HOOK(result, name, parameters) result(*name) parameters;
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK

void resolve() {
#define SPYGLASS_HOOK(result, name, parameters)                             \
  if (name == nullptr) {                                                    \
    name = reinterpret_cast<result(*) parameters>(dlsym(RTLD_NEXT, #name)); \
  }
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK
}

}  // namespace spyglass::real
