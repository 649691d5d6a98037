// SPDX-License-Identifier: Apache-2.0
// many_stacks.c - a great many distinct (size, stack) pairs: what makes tables of stacks grow.
//
// Each pair comes about by a path of calls of its own, 12 deep with 4 ways at each level, and one
// of a thousand sizes. Every block is freed again. usage: many_stacks [pairs]      (default
// 1000000)
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"

enum { kDepth = 12 };

static unsigned long g_sum;

#define STEP(name, next)                                                             \
  __attribute__((noinline, noclone)) static void name(unsigned long path, int depth, \
                                                      size_t bytes) {                \
    if (depth == 0) {                                                                \
      char* block = malloc(bytes);                                                   \
      if (block == NULL) abort();                                                    \
      block[0] = (char)path;                                                         \
      g_sum += (unsigned char)block[0];                                              \
      free(block);                                                                   \
    } else {                                                                         \
      next(path, depth - 1, bytes);                                                  \
    }                                                                                \
    g_sum += bytes;                                                                  \
  }

static void choose(unsigned long path, int depth, size_t bytes);
STEP(way_a, choose)
STEP(way_b, choose)
STEP(way_c, choose)
STEP(way_d, choose)

// The two lowest bits say which way to go.
static inline __attribute__((always_inline)) void choose_way(unsigned long path, int depth,
                                                             size_t bytes) {
  switch (path & 3) {
    case 0:
      way_a(path >> 2, depth, bytes);
      break;
    case 1:
      way_b(path >> 2, depth, bytes);
      break;
    case 2:
      way_c(path >> 2, depth, bytes);
      break;
    default:
      way_d(path >> 2, depth, bytes);
      break;
  }
}
static void choose(unsigned long path, int depth, size_t bytes) { choose_way(path, depth, bytes); }

int main(int argc, char** argv) {
  const long pairs = argc > 1 ? atol(argv[1]) : 1000000;
  const long stacks = argc > 2 ? atol(argv[2]) : 1000;
  bench_begin();
  for (long i = 0; i < pairs; ++i) {
    const unsigned long path = (unsigned long)(i % stacks) * 2654435761u % 16777213u;
    choose_way(path, kDepth, 16 + (size_t)(i / stacks));
  }
  bench_end();
  printf("%lu\n", g_sum);
  return 0;
}
