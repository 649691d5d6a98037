// SPDX-License-Identifier: Apache-2.0
// work_mix A B SCALE: A calls of varied length (1 µs to about 2 ms, spread evenly over the
// octaves), B calls of a fixed short length; SCALE percent stretches both. Where percentiles and
// diffs have something to find.
#include <stdio.h>
#include <stdlib.h>

#include "program.h"

static uint64_t g_random = 88172645463325252u;

PLAIN static uint64_t next_random(void) {
  g_random ^= g_random << 13;
  g_random ^= g_random >> 7;
  g_random ^= g_random << 17;
  return g_random;
}

PLAIN static void wait_ns(uint64_t duration_ns) {
  uint64_t end = clock_ns(CLOCK_MONOTONIC) + duration_ns;
  while (clock_ns(CLOCK_MONOTONIC) < end) {
  }
}

CALLED static void varied(uint64_t scale) {
  uint64_t random = next_random();
  uint64_t octave = random % 11;
  uint64_t base_ns = 1000ull << octave;
  wait_ns((base_ns + (random >> 32) % base_ns) * scale / 100);
}

CALLED static void fixed(uint64_t scale) { wait_ns(20 * scale); }

CALLED static void only_sometimes(void) { ++g_sink; }

CALLED static void phase(long varied_calls, long fixed_calls, uint64_t scale) {
  for (long i = 0; i < varied_calls; ++i) varied(scale);
  for (long i = 0; i < fixed_calls; ++i) fixed(scale);
  if (scale > 100) only_sometimes();
}

int main(int argc, char** argv) {
  long varied_calls = argument_or(argc, argv, 1, 2000);
  long fixed_calls = argument_or(argc, argv, 2, 2000);
  uint64_t scale = (uint64_t)argument_or(argc, argv, 3, 100);
  phase(varied_calls, fixed_calls, scale);
  printf("mixed\n");
  return 0;
}
