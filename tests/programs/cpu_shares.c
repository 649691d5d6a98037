// SPDX-License-Identifier: Apache-2.0
// cpu_shares ROUNDS THREADS: 70, 20, 9 and 1 percent of the CPU time in four functions.
#include <pthread.h>
#include <stdio.h>

#include "program.h"

#define PART(name, percent)                        \
  CALLED static uint64_t name(uint64_t value) {    \
    for (long i = 0; i < (percent) * 2000L; ++i) { \
      value = value * 3 + 1;                       \
      __asm__ volatile("" : "+r"(value));          \
    }                                              \
    return value;                                  \
  }
PART(part70, 70)
PART(part20, 20)
PART(part9, 9)
PART(part1, 1)

static long g_rounds;

static void* run(void* unused) {
  uint64_t value = 1;
  for (long round = 0; round < g_rounds; ++round) {
    value = part70(value);
    value = part20(value);
    value = part9(value);
    value = part1(value);
  }
  g_sink = value;
  return unused;
}

int main(int argc, char** argv) {
  g_rounds = argument_or(argc, argv, 1, 5000);
  long count = argument_or(argc, argv, 2, 1);
  pthread_t threads[16];
  for (long i = 1; i < count && i < 16; ++i) pthread_create(&threads[i], NULL, run, NULL);
  run(NULL);
  for (long i = 1; i < count && i < 16; ++i) pthread_join(threads[i], NULL);
  printf("done\n");
  return 0;
}
