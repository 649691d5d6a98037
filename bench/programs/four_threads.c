// SPDX-License-Identifier: Apache-2.0
// four_threads.c - four threads that do nothing but call, each another shape of work.
//
// Every thread works the same number of steps; the shapes differ so that the threads' trees do too.
// usage: four_threads [steps per thread]     (default 1000000: about 42 million calls in all)
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"

#define NOINLINE __attribute__((noinline, noclone))

enum { kThreads = 4 };

struct Work {
  int shape;
  long steps;
  uint64_t result;
};

static NOINLINE uint64_t mix(uint64_t x) {
  x ^= x >> 31;
  return x * 0x9e3779b97f4a7c15u;
}

static NOINLINE uint64_t add_mixed(uint64_t x, uint64_t y) { return mix(x) + mix(y); }

static NOINLINE uint64_t branchy(uint64_t x) { return x & 1 ? add_mixed(x, 3) : mix(x + 1); }

static NOINLINE uint64_t descend(uint64_t x, int depth) {
  return depth == 0 ? mix(x) : descend(branchy(x), depth - 1);
}

static NOINLINE uint64_t even(uint64_t x, int depth);

static NOINLINE uint64_t odd(uint64_t x, int depth) {
  return depth == 0 ? x : even(mix(x), depth - 1) + 1;
}

static NOINLINE uint64_t even(uint64_t x, int depth) {
  return depth == 0 ? x : odd(mix(x), depth - 1) + 2;
}

static NOINLINE uint64_t step(int shape, uint64_t x) {
  switch (shape) {
    case 0:
      return add_mixed(branchy(x), mix(x));
    case 1:
      return descend(x, 3);
    case 2:
      return even(x, 4);
    default:
      return branchy(branchy(branchy(x)));
  }
}

static void* run_thread(void* argument) {
  struct Work* work = argument;
  uint64_t x = (uint64_t)work->shape + 1;
  for (long i = 0; i < work->steps; ++i) x = step(work->shape, x);
  work->result = x;
  return NULL;
}

int main(int argc, char** argv) {
  long steps = argc > 1 ? atol(argv[1]) : 1000000;
  struct Work work[kThreads];
  pthread_t threads[kThreads];
  bench_begin();
  for (int i = 0; i < kThreads; ++i) {
    work[i] = (struct Work){.shape = i, .steps = steps, .result = 0};
    if (pthread_create(&threads[i], NULL, run_thread, &work[i]) != 0) abort();
  }
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  bench_end();
  for (int i = 0; i < kThreads; ++i) {
    printf("thread %d: %016llx\n", i, (unsigned long long)work[i].result);
  }
  return 0;
}
