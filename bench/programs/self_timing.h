// SPDX-License-Identifier: Apache-2.0
// self_timing.h - a measured program times its own work, so that start-up of tools is left out.
//
// bench_begin() pins the process to the core in BENCH_CORE (if set) and starts the clocks;
// bench_end() writes one line to the file in BENCH_TIMES_FILE (if set):
//   <wall_ns> <cpu_ns of the whole process> <resident bytes> <peak resident bytes>
// Nothing goes to stdout or stderr, which are compared between the ways to run a program. Pinning
// happens in here, not by taskset, so that a collector that is the parent stays free to move.
#pragma once

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BENCH_NO_HOOK __attribute__((no_instrument_function, noinline, unused))

static uint64_t bench_wall_begin_ns;
static uint64_t bench_cpu_begin_ns;

static BENCH_NO_HOOK uint64_t bench_clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

// Value in KiB of one "Name:" line of /proc/self/status, as bytes; 0 when absent.
static BENCH_NO_HOOK uint64_t bench_status_bytes(const char* name) {
  FILE* file = fopen("/proc/self/status", "r");
  if (file == NULL) return 0;
  char line[256];
  uint64_t bytes = 0;
  size_t length = strlen(name);
  while (fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, name, length) == 0) bytes = strtoull(line + length, NULL, 10) * 1024;
  }
  fclose(file);
  return bytes;
}

static BENCH_NO_HOOK void bench_begin(void) {
  const char* core = getenv("BENCH_CORE");
  if (core != NULL) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(core), &set);
    sched_setaffinity(0, sizeof set, &set);
  }
  bench_cpu_begin_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  bench_wall_begin_ns = bench_clock_ns(CLOCK_MONOTONIC);
}

static BENCH_NO_HOOK void bench_end(void) {
  uint64_t wall_ns = bench_clock_ns(CLOCK_MONOTONIC) - bench_wall_begin_ns;
  uint64_t cpu_ns = bench_clock_ns(CLOCK_PROCESS_CPUTIME_ID) - bench_cpu_begin_ns;
  const char* path = getenv("BENCH_TIMES_FILE");
  if (path == NULL) return;
  FILE* file = fopen(path, "w");
  if (file == NULL) return;
  fprintf(file, "%llu %llu %llu %llu\n", (unsigned long long)wall_ns, (unsigned long long)cpu_ns,
          (unsigned long long)bench_status_bytes("VmRSS:"),
          (unsigned long long)bench_status_bytes("VmHWM:"));
  fclose(file);
}
