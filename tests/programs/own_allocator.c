// SPDX-License-Identifier: Apache-2.0
// The executable is its own allocator: a static arena, as with a statically linked jemalloc.
// Nothing of it passes the dynamic linker except what libraries call.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static _Alignas(16) char g_arena[1 << 22];
static size_t g_used;
static unsigned long g_allocations, g_frees, g_foreign;

static size_t* header(void* block) { return (size_t*)block - 2; }

static void* allocate(size_t bytes, size_t alignment) {
  const uintptr_t after_header = (uintptr_t)g_arena + g_used + 16;
  const size_t at = ((after_header + alignment - 1) & ~(alignment - 1)) - (uintptr_t)g_arena;
  if (bytes > sizeof g_arena || at + bytes > sizeof g_arena) {
    errno = ENOMEM;
    return NULL;
  }
  g_used = (at + bytes + 15) & ~(size_t)15;
  *header(g_arena + at) = bytes;
  ++g_allocations;
  return g_arena + at;
}

void* malloc(size_t bytes) { return allocate(bytes, 16); }
void* calloc(size_t count, size_t bytes) { return allocate(count * bytes, 16); }
void* memalign(size_t alignment, size_t bytes) { return allocate(bytes, alignment); }
void* aligned_alloc(size_t alignment, size_t bytes) { return allocate(bytes, alignment); }
int posix_memalign(void** block, size_t alignment, size_t bytes) {
  *block = allocate(bytes, alignment);
  return *block ? 0 : ENOMEM;
}
size_t malloc_usable_size(void* block) { return block ? *header(block) : 0; }
void free(void* block) {
  if (!block) return;
  ++g_frees;
  if ((char*)block < g_arena || (char*)block >= g_arena + sizeof g_arena) ++g_foreign;
}
void* realloc(void* block, size_t bytes) {
  void* moved = allocate(bytes, 16);
  if (moved && block) {
    memcpy(moved, block, bytes < *header(block) ? bytes : *header(block));
    free(block);
  }
  return moved;
}

int main(void) {
  static char text[200];
  char* copies[100];
  for (int i = 0; i < 100; ++i) {
    snprintf(text, sizeof text, "string number %d", i);
    copies[i] = strdup(text);
  }
  FILE* self = fopen("/proc/self/cmdline", "r");
  char* line = NULL;
  size_t room = 0;
  if (!self || getline(&line, &room, self) <= 0) return 1;
  fclose(self);
  free(line);
  for (int i = 0; i < 100; ++i) {
    copies[i] = realloc(copies[i], 1000);
    snprintf(text, sizeof text, "string number %d", i);
    if (strcmp(copies[i], text) != 0) return 2;
    if (i % 2) free(copies[i]);
  }
  printf("%lu allocations, %lu frees, %lu of others\n", g_allocations, g_frees, g_foreign);
  return 0;
}
