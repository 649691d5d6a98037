// SPDX-License-Identifier: Apache-2.0
// realloc in all its ways: from NULL, growing, shrinking, in place and moving, to 0 (which frees),
// beyond what there is (which fails and frees nothing), of memory from every other function; and
// reallocarray that overflows. Prints: allocations bytes frees reallocations failed
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static uint64_t g_allocations, g_bytes, g_frees, g_reallocations, g_failed;

CALLED static char* resize(char* block, size_t bytes) {
  char* moved = realloc(block, bytes);
  if (moved) {
    ++g_allocations;
    g_bytes += bytes;
    g_frees += block != NULL;
    g_reallocations += block != NULL;
  } else if (bytes == 0) {
    ++g_frees;
  } else {
    ++g_failed;
    return block;
  }
  return moved;
}

static char* counted(void* block, size_t bytes) {
  if (!block) abort();
  ++g_allocations;
  g_bytes += bytes;
  return block;
}

CALLED static void grow_and_shrink(void) {
  char* block = NULL;
  for (size_t bytes = 1; bytes < 3000000; bytes = bytes * 9 / 8 + 1) {
    block = resize(block, bytes);
    block[bytes - 1] = 7;
  }
  for (size_t bytes = 3000000; bytes > 10; bytes = bytes * 4 / 5) block = resize(block, bytes);
  if (block[0] != 0 && block[0] != 7) abort();
  resize(block, 0);
}

CALLED static void interleaved(void) {
  char* blocks[50] = {0};
  for (int round = 0; round < 200; ++round) {
    for (int i = 0; i < 50; ++i) {
      const size_t bytes = 1 + (size_t)((round * 31 + i * 17) % 700);
      blocks[i] = resize(blocks[i], bytes);
      blocks[i][bytes - 1] = (char)i;
    }
  }
  for (int i = 0; i < 50; ++i) resize(blocks[i], 0);
}

CALLED static void failing(void) {
  char* block = counted(malloc(100), 100);
  memset(block, 9, 100);
  errno = 0;
  volatile size_t too_much = PTRDIFF_MAX;  // that gcc does not say it is
  if (resize(block, too_much) != block || errno != ENOMEM) abort();
  errno = 0;
  void* array = reallocarray(block, too_much / 2, 8);
  if (array || errno != ENOMEM || block[99] != 9) abort();
  ++g_failed;
  free(block);
  ++g_frees;
}

CALLED static void from_others(void) {
  void* aligned = NULL;
  if (posix_memalign(&aligned, 256, 1000) != 0) abort();
  resize(resize(counted(aligned, 1000), 70), 0);
  resize(resize(counted(calloc(10, 30), 300), 900), 0);
  resize(resize(counted(memalign(64, 64), 64), 640), 0);
  resize(resize(counted(aligned_alloc(4096, 4096), 4096), 100000), 0);
  char* kept = resize(counted(valloc(10), 10), 77);
  g_sink = (uint64_t)kept;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  grow_and_shrink();
  interleaved();
  failing();
  from_others();
  char text[200];
  const int length = snprintf(text, sizeof text, "%lu %lu %lu %lu %lu\n", g_allocations, g_bytes,
                              g_frees, g_reallocations, g_failed);
  return fwrite(text, (size_t)length, 1, stdout) == 1 ? 0 : 1;
}
