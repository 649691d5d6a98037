// SPDX-License-Identifier: Apache-2.0
// Allocates before anything else of the program runs: in an IFUNC resolver, in .preinit_array, in a
// constructor of the first priority; and frees, resizes and asks for the size of it all in main.
// Prints: allocations bytes frees, of its own
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

enum { kPlaces = 3, kBlocks = 6 };
static char* g_blocks[kPlaces][kBlocks];

static void allocate_all(int place) {
  char** blocks = g_blocks[place];
  blocks[0] = malloc(100);
  blocks[1] = calloc(10, 20);
  blocks[2] = realloc(malloc(10), 300);
  blocks[3] = memalign(64, 400);
  free(malloc(50));
  void* aligned = NULL;
  if (posix_memalign(&aligned, 128, 500) != 0) abort();
  blocks[4] = aligned;
  blocks[5] = realloc(NULL, 600);
  for (int i = 0; i < kBlocks; ++i) {
    for (int j = 0; j < 100; ++j) {  // no memset: an IFUNC, not yet resolved in here
      if (i == 1 && blocks[i][j] != 0) abort();
      blocks[i][j] = (char)(place * 10 + i);
    }
  }
}

static int resolved(void) { return 42; }
static int (*resolve(void))(void) {
  allocate_all(0);
  return resolved;
}
int through_ifunc(void) __attribute__((ifunc("resolve")));

static void before_all(int argc, char** argv, char** environment) {
  (void)argc;
  (void)argv;
  (void)environment;
  allocate_all(1);
}
__attribute__((section(".preinit_array"), used)) static void (*g_before_all)(int, char**,
                                                                             char**) = before_all;

__attribute__((constructor(101))) static void first_constructor(void) { allocate_all(2); }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (through_ifunc() != 42) return 1;
  unsigned long allocations = 0, bytes = 0, frees = 0;
  for (int place = 0; place < kPlaces; ++place) {
    for (int i = 0; i < kBlocks; ++i) {
      char* block = g_blocks[place][i];
      if (block[0] != place * 10 + i || block[99] != block[0] || malloc_usable_size(block) < 100) {
        return 2;
      }
      if (i % 2) {
        block = realloc(block, 1000);
        if (block[0] != place * 10 + i || block[99] != block[0]) return 3;
        ++allocations;
        ++frees;
        bytes += 1000;
      }
      if (place != 1 || i != 4) {
        free(block);
        ++frees;
      }
    }
    allocations += 8;
    bytes += 100 + 200 + 10 + 300 + 400 + 50 + 500 + 600;
    frees += 2;
  }
  char text[100];
  const int length = snprintf(text, sizeof text, "%lu %lu %lu\n", allocations, bytes, frees);
  return fwrite(text, (size_t)length, 1, stdout) == 1 ? 0 : 4;
}
