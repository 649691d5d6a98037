// SPDX-License-Identifier: Apache-2.0
// real.h - the interposed functions as the program would have got them without us.
//
//   Where    target side; resolve() in the constructor, or in the first hook that comes before it.
#pragma once

#include <csetjmp>

namespace spyglass::real {

#define SPYGLASS_HOOK(result, name, parameters) extern result(*name) parameters;
#include "preload/hooked_functions.inc"
#undef SPYGLASS_HOOK

// Fills every pointer above with the next definition after ours. Idempotent.
void resolve();

}  // namespace spyglass::real
