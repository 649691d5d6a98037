// SPDX-License-Identifier: Apache-2.0
// interruptions.c - looks at the clock and at nothing else, 30 calls deep, and tells how much time
// it was not given: what interrupts cost a program, with less noise than the sum of a run.
//
// A gap between two time stamps of more than 1.5 us is an interruption; one of more than 100 us is
// another program's turn and left out.
// Prints "<name> <value>": interruptions a second, the median in us, the share taken in per cent.
// usage: interruptions [seconds]     (default 2)
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"

enum { kDepth = 26, kMostGaps = 1 << 20, kFrameBytes = 128 };
static const double kShortestUs = 1.5;
static const double kLongestUs = 100;

static double gaps_us[kMostGaps];
static size_t gap_count;

static uint64_t ticks(void) { return __builtin_ia32_rdtsc(); }

static double ticks_per_us(void) {
  const uint64_t begin_ns = bench_clock_ns(CLOCK_MONOTONIC);
  const uint64_t begin = ticks();
  uint64_t now_ns = begin_ns;
  while (now_ns - begin_ns < 100000000) now_ns = bench_clock_ns(CLOCK_MONOTONIC);
  return (double)(ticks() - begin) * 1e3 / (double)(now_ns - begin_ns);
}

static __attribute__((noinline)) void watch(double seconds, double per_us) {
  const uint64_t shortest = (uint64_t)(kShortestUs * per_us);
  const uint64_t longest = (uint64_t)(kLongestUs * per_us);
  uint64_t last = ticks();
  const uint64_t end = last + (uint64_t)(seconds * 1e6 * per_us);
  while (last < end && gap_count < kMostGaps) {
    const uint64_t now = ticks();
    const uint64_t gap = now - last;
    if (gap > shortest && gap < longest) gaps_us[gap_count++] = (double)gap / per_us;
    last = now;
  }
}

static __attribute__((noinline)) void watch_deep(int depth, double seconds, double per_us) {
  volatile char frame[kFrameBytes];
  frame[0] = (char)depth;
  if (depth == 0) {
    watch(seconds, per_us);
  } else {
    watch_deep(depth - 1, seconds, per_us);
  }
  frame[1] = frame[0];
}

static int compare(const void* left, const void* right) {
  const double a = *(const double*)left, b = *(const double*)right;
  return (a > b) - (a < b);
}

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 2;
  bench_begin();
  watch_deep(kDepth, seconds, ticks_per_us());
  bench_end();
  double taken_us = 0;
  for (size_t i = 0; i < gap_count; ++i) taken_us += gaps_us[i];
  qsort(gaps_us, gap_count, sizeof gaps_us[0], compare);
  printf("a_second %.0f\n", (double)gap_count / seconds);
  printf("median_us %.3f\n", gap_count > 0 ? gaps_us[gap_count / 2] : 0);
  printf("taken_percent %.4f\n", taken_us / seconds / 1e4);
  return 0;
}
