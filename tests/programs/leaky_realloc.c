// SPDX-License-Identifier: Apache-2.0
// Loses what realloc, strdup, asprintf, aligned_alloc and posix_memalign gave.
#define _GNU_SOURCE
#include <stdio.h>

#include "leaks.h"

CALLED static char* grow(char* block, size_t bytes) { return realloc(block, bytes); }

CALLED static void lose_grown(long rounds) {
  for (long i = 0; i < rounds; ++i) {
    char* block = malloc(10);
    for (size_t bytes = 20; bytes < 2000; bytes *= 3) block = grow(block, bytes);
    memset(block, 1, 1000);
    g_sink = g_sink + (unsigned char)block[3];
    if (i % 3 == 0) free(block);
  }
}

CALLED static void lose_text(void) {
  char* copy = strdup("a string of thirty-one letters.");
  char* printed = NULL;
  const int length = asprintf(&printed, "%s %d", copy, 12345);
  g_sink = g_sink + (unsigned)length + (unsigned char)printed[2];
}

CALLED static void lose_aligned(void) {
  void* block = NULL;
  if (posix_memalign(&block, 64, 333) != 0) abort();
  g_sink = g_sink + (uint64_t)block % 64;
  block = aligned_alloc(128, 256);
  g_sink = g_sink + (uint64_t)block % 128;
}

int main(void) {
  lose_grown(30);
  for (int i = 0; i < 7; ++i) lose_text();
  for (int i = 0; i < 5; ++i) lose_aligned();
  forget_stack();
  return 0;
}
