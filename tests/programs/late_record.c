// SPDX-License-Identifier: Apache-2.0
// late_record.c - threads compute, make one operation, and end at once: samples and the kernel tell
// of each, its end included, before what it recorded is seen.
//
// usage: late_record THREADS MILLISECONDS     CPU time of each
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static int wanted_ms;
static volatile uint64_t sum;

static double own_cpu_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void* compute(void* nothing) {
  while (own_cpu_ms() < wanted_ms) {
    for (int i = 0; i < 10000; ++i) sum += (uint64_t)i;
  }
  const struct timespec moment = {0, 1};
  nanosleep(&moment, NULL);
  return nothing;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 4;
  wanted_ms = argc > 2 ? atoi(argv[2]) : 20;
  pthread_t ids[64];
  for (int i = 0; i < threads; ++i) pthread_create(&ids[i], NULL, compute, NULL);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  return 0;
}
