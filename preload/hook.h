// SPDX-License-Identifier: Apache-2.0
// hook.h - declares every interposed function as hook_<name>, with the symbol <name>.
//
// So a definition need not agree with what the system headers say of the function (noexcept,
// attributes, fortified inlines), only with hooked_functions.inc.
//
//   Where    preload/; extern "C", exported.
//   Errors   hooks keep errno as the real function leaves it.
#pragma once

#include "preload/real.h"

extern "C" {

#define SPYGLASS_HOOK(result, name, parameters) \
  [[gnu::visibility("default")]] result hook_##name parameters asm(#name);
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK

}  // extern "C"
