// SPDX-License-Identifier: Apache-2.0
// cpu_shares ROUNDS THREADS: 70, 20, 9 and 1 percent of the CPU time in four functions. A turn of
// their loops takes as long as a multiplication and an addition take one after the other, and each
// loop lies in one cache line: others were up to a third slower, at some addresses.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "program.h"

static const uint64_t kFactor = 6364136223846793005u;

#define PART(name, percent)                                                              \
  __attribute__((aligned(64))) CALLED static uint64_t name(uint64_t value, long scale) { \
    for (long i = 0; i < (percent)*scale; ++i) {                                         \
      value = value * kFactor + 1;                                                       \
      __asm__ volatile("" : "+r"(value));                                                \
    }                                                                                    \
    return value;                                                                        \
  }
PART(part70, 70)
PART(part20, 20)
PART(part9, 9)
PART(part1, 1)

static long g_rounds;

static void* run(void* unused) {
  uint64_t value = 1;
  uint64_t random = (uint64_t)getpid();
  for (long round = 0; round < g_rounds; ++round) {
    // Rounds of one length could run in step with the sampler, the same rounds in each run would
    // meet it at the same places.
    random = random * kFactor + 1442695040888963407u;
    const long scale = 1000 + (long)((random >> 33) % 2001);
    value = part70(value, scale);
    value = part20(value, scale);
    value = part9(value, scale);
    value = part1(value, scale);
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
