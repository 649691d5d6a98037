// SPDX-License-Identifier: Apache-2.0
// Blocks of all sizes that live for all times, by malloc, calloc, realloc and reallocarray; what
// is left at the end is known. Prints what it did:
//   allocations bytes frees reallocations live_blocks live_bytes
// usage: alloc_churn [rounds]
#include <stdio.h>
#include <string.h>

#include "program.h"

enum { kHeld = 512 };

static struct {
  void* block;
  size_t bytes;
} g_held[kHeld];

static uint64_t g_allocations, g_bytes, g_frees, g_reallocations, g_random = 88172645463325252u;

static uint64_t next_random(void) {
  g_random ^= g_random << 13;
  g_random ^= g_random >> 7;
  g_random ^= g_random << 17;
  return g_random;
}

CALLED static void hold(unsigned at, void* block, size_t bytes) {
  if (!block) abort();
  memset(block, (int)at, bytes);
  g_held[at].block = block;
  g_held[at].bytes = bytes;
  ++g_allocations;
  g_bytes += bytes;
}

CALLED static void by_malloc(unsigned at, size_t bytes) { hold(at, malloc(bytes), bytes); }
CALLED static void by_calloc(unsigned at, size_t bytes) { hold(at, calloc(3, bytes), 3 * bytes); }

CALLED static void resize(unsigned at, size_t bytes) {
  if (g_held[at].block) {
    ++g_frees;
    ++g_reallocations;
  }
  if (bytes % 2) {
    hold(at, realloc(g_held[at].block, bytes), bytes);
  } else {
    hold(at, reallocarray(g_held[at].block, 5, bytes), 5 * bytes);
  }
}

CALLED static void give_back(unsigned at) {
  free(g_held[at].block);  // of NULL as well, which counts as nothing
  g_frees += g_held[at].block != NULL;
  g_held[at].block = NULL;
}

int main(int argc, char** argv) {
  for (long round = argument_or(argc, argv, 1, 20000); round > 0; --round) {
    const uint64_t random = next_random();
    const unsigned at = random % kHeld;
    const size_t bytes = 1 + (random >> 16) % ((random >> 48) % 50 ? 500 : 100000);
    if ((random >> 32) % 4 == 0) {
      resize(at, bytes);
    } else {
      give_back(at);
      if ((random >> 32) % 4 == 1) by_malloc(at, bytes);
      if ((random >> 32) % 4 == 2) by_calloc(at, bytes);
    }
  }
  uint64_t live = 0, live_bytes = 0;
  for (unsigned i = 0; i < kHeld; ++i) {
    live += g_held[i].block != NULL;
    live_bytes += g_held[i].block ? g_held[i].bytes : 0;
  }
  char text[200];  // printf to a pipe allocates, and that would be one more
  const int length = snprintf(text, sizeof text, "%lu %lu %lu %lu %lu %lu\n", g_allocations,
                              g_bytes, g_frees, g_reallocations, live, live_bytes);
  setvbuf(stdout, NULL, _IONBF, 0);
  return fwrite(text, (size_t)length, 1, stdout) == 1 ? 0 : 1;
}
