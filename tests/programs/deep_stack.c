// SPDX-License-Identifier: Apache-2.0
// deep_stack DEPTH SPINS: burns CPU time at every depth of a stack that grows far beyond what is
// copied with a sample.
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

CALLED static int descend(long depth, long spins) {
  volatile char frame[400];
  memset((char*)frame, (int)depth, sizeof frame);
  burn(spins);
  const int below = depth > 1 ? descend(depth - 1, spins) : 0;
  burn(spins);
  return below + frame[0];
}

int main(int argc, char** argv) {
  const int sum = descend(argument_or(argc, argv, 1, 300), argument_or(argc, argv, 2, 500000));
  printf("%d\n", sum & 1);
  return 0;
}
