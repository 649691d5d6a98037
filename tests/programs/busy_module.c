// SPDX-License-Identifier: Apache-2.0
// A module for busy_modules.c that burns CPU time; built twice with another name of its function.
#include "program.h"

CALLED void BUSY_FUNCTION(long spins);
CALLED void BUSY_FUNCTION(long spins) {
  uint64_t value = 1;
  for (long i = 0; i < spins; ++i) {
    value = value * 3 + 1;
    __asm__ volatile("" : "+r"(value));
  }
  g_sink = value;
}

void busy_entry(long spins);
PLAIN void busy_entry(long spins) {
  BUSY_FUNCTION(spins);
  ++g_sink;
}
