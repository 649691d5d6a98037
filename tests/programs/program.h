// SPDX-License-Identifier: Apache-2.0
// What every test program needs: functions that are called for certain, and helpers that are not
// part of what the program counts.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

// A function that stays a function: neither inlined nor cloned, so its calls can be counted.
#define CALLED __attribute__((noinline, noclone))
// A function that the compiler gives no hooks.
#define PLAIN __attribute__((no_instrument_function))

#ifdef __clang__
#undef CALLED
#define CALLED __attribute__((noinline))
#endif

// Keeps the optimizer from removing a call whose result nobody uses.
extern volatile uint64_t g_sink;
volatile uint64_t g_sink;

PLAIN static inline long argument_or(int argc, char** argv, int index, long otherwise) {
  return argc > index ? atol(argv[index]) : otherwise;
}

PLAIN static inline uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
