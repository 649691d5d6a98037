// SPDX-License-Identifier: Apache-2.0
// For programs that lose memory for certain: no copy of an address may be left on the stack or in a
// register, or a leak checker that looks for pointers finds the block reachable.
#pragma once
#include <string.h>

#include "program.h"

CALLED static void forget_stack(void) {
  volatile char over[16384];
  memset((char*)over, 0, sizeof over);
  g_sink = g_sink + (unsigned char)over[100];
}
