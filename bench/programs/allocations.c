// SPDX-License-Identifier: Apache-2.0
// allocations.c - pairs of malloc and free at a given depth, on stacks that change as real ones do:
// a walk of a tree of calls, in which each call has a block while those below it have theirs.
//
// A trunk of calls, then six levels with three ways each, by four functions with two call sites and
// sizes of their own. Deterministic; prints pairs and the mean depth in frames.
// usage: allocations [depth] [walks] [threads]      (default 25 2000 1)
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"

enum { kLevels = 6, kWays = 3, kMostThreads = 64 };

// From here on the frames count as well: of main or of the thread, and of libc below it.
enum { kFramesBelow = 4 };

struct Walk {
  long depth, walks;
  unsigned long pairs, frames, sum;
};

typedef void Visit(struct Walk* walk, int trunk, int level, int frames);
static Visit parse, build, resolve, emit;
static Visit* const kVisits[] = {parse, build, resolve, emit};

static inline __attribute__((always_inline)) void visit(struct Walk* walk, int trunk, int level,
                                                        int frames, size_t bytes, int which) {
  if (trunk > 0) {
    kVisits[(trunk + which) % 4](walk, trunk - 1, level, frames + 1);
    walk->sum += (unsigned long)frames;  // no tail call
    return;
  }
  char* block = level % 2 ? malloc(bytes) : malloc(bytes * 3 + (size_t)level);
  if (block == NULL) abort();
  block[0] = (char)level;
  ++walk->pairs;
  walk->frames += (unsigned long)frames;
  if (level > 0) {
    for (int way = 0; way < kWays; ++way) {
      kVisits[(which + way + level) % 4](walk, 0, level - 1, frames + 1);
    }
  }
  walk->sum += (unsigned char)block[0];
  free(block);
}

#define VISIT(name, bytes, which)                                                              \
  static __attribute__((noinline, noclone)) void name(struct Walk* walk, int trunk, int level, \
                                                      int frames) {                            \
    visit(walk, trunk, level, frames, bytes, which);                                           \
  }
VISIT(parse, 24, 0)
VISIT(build, 56, 1)
VISIT(resolve, 100, 2)
VISIT(emit, 300, 3)

static void* run(void* argument) {
  struct Walk* walk = argument;
  const int trunk =
      walk->depth > kLevels + kFramesBelow ? (int)walk->depth - kLevels - kFramesBelow : 0;
  for (long i = 0; i < walk->walks; ++i) {
    kVisits[i % 4](walk, trunk, kLevels, kFramesBelow);
  }
  return NULL;
}

int main(int argc, char** argv) {
  const long depth = argc > 1 ? atol(argv[1]) : 25, walks = argc > 2 ? atol(argv[2]) : 2000;
  const long threads = argc > 3 ? atol(argv[3]) : 1;
  static struct Walk results[kMostThreads];
  pthread_t ids[kMostThreads];
  if (threads < 1 || threads > kMostThreads) return 2;
  bench_begin();
  for (long i = 0; i < threads; ++i) {
    results[i].depth = depth;
    results[i].walks = walks;
    if (threads == 1) {
      run(&results[i]);
    } else if (pthread_create(&ids[i], NULL, run, &results[i]) != 0) {
      return 1;
    }
  }
  for (long i = 0; threads > 1 && i < threads; ++i) pthread_join(ids[i], NULL);
  bench_end();
  unsigned long pairs = 0, frames = 0;
  for (long i = 0; i < threads; ++i) {
    pairs += results[i].pairs;
    frames += results[i].frames;
  }
  printf("%lu %.1f\n", pairs, (double)frames / (double)pairs);
  return 0;
}
