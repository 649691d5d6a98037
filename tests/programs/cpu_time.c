// SPDX-License-Identifier: Apache-2.0
// cpu_time FILE CPU [compete SECONDS]: sleeps, spins and is preempted on one CPU. Takes its own
// thread CPU time around the body of each function and writes `name cpu_ns` lines to FILE.
// With `compete` it only burns that CPU from outside.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static uint64_t g_spin_ns, g_nap_ns, g_short_ns;

#ifndef BETWEEN_BURSTS
#define BETWEEN_BURSTS()
#endif

PLAIN static uint64_t cpu_ns(void) { return clock_ns(CLOCK_THREAD_CPUTIME_ID); }

PLAIN static void burn_until(uint64_t end) {
  while (cpu_ns() < end) {
    for (int i = 0; i < 2000; ++i) ++g_sink;
    BETWEEN_BURSTS();
  }
}

CALLED static void spin(uint64_t duration_ns) {
  uint64_t start = cpu_ns();
  burn_until(start + duration_ns);
  g_spin_ns += cpu_ns() - start;
}

CALLED static void nap_and_spin(uint64_t duration_ns) {
  uint64_t start = cpu_ns();
  struct timespec pause = {0, 5000000};
  nanosleep(&pause, NULL);
  burn_until(start + duration_ns);
  g_nap_ns += cpu_ns() - start;
}

CALLED static void short_spin(uint64_t duration_ns) {
  uint64_t start = cpu_ns();
  burn_until(start + duration_ns);
  g_short_ns += cpu_ns() - start;
}

PLAIN static void compete(long seconds) {
  uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)seconds * 1000000000u;
  while (clock_ns(CLOCK_MONOTONIC) < end) ++g_sink;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET((size_t)atoi(argv[2]), &cpus);
  sched_setaffinity(0, sizeof cpus, &cpus);
  if (argc > 4 && strcmp(argv[3], "compete") == 0) {
    compete(atol(argv[4]));
    return 0;
  }
  for (int i = 0; i < 20; ++i) {
    spin(20000000);
    nap_and_spin(10000000);
    for (int j = 0; j < 100; ++j) short_spin(100000);
  }
  FILE* out = fopen(argv[1], "w");
  if (!out) return 1;
  fprintf(out, "spin %llu\nnap_and_spin %llu\nshort_spin %llu\n", (unsigned long long)g_spin_ns,
          (unsigned long long)g_nap_ns, (unsigned long long)g_short_ns);
  fclose(out);
  printf("done\n");
  return 0;
}
