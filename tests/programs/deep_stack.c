// SPDX-License-Identifier: Apache-2.0
// deep_stack DEPTH SPINS [BOTTOM]: burns CPU time at every depth of a stack that grows far beyond
// what is copied with a sample; with BOTTOM at its innermost depth only.
#include <stdio.h>
#include <string.h>

#include "program.h"

CALLED static void burn(long spins) {
  uint64_t value = g_sink;
  for (long i = 0; i < spins; ++i) {
    value = value * 3 + 1;
    __asm__ volatile("" : "+r"(value));
  }
  g_sink = value;
}

CALLED static int descend(long depth, long spins, long bottom) {
  volatile char frame[400];
  memset((char*)frame, (int)depth, sizeof frame);
  const long here = bottom && depth > 1 ? 0 : spins;
  burn(here);
  const int below = depth > 1 ? descend(depth - 1, spins, bottom) : 0;
  burn(here);
  return below + frame[0];
}

int main(int argc, char** argv) {
  const int sum = descend(argument_or(argc, argv, 1, 300), argument_or(argc, argv, 2, 500000),
                          argument_or(argc, argv, 3, 0));
  printf("%d\n", sum & 1);
  return 0;
}
