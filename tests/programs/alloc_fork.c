// SPDX-License-Identifier: Apache-2.0
// Children free what the parent allocated, allocate for themselves and end in different ways; so
// does a grandchild. Each process says what was live in it when it ended.
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { kBlocks = 100 };
static char* g_blocks[kBlocks];

CALLED static void parent_allocates(void) {
  for (int i = 0; i < kBlocks; ++i) g_blocks[i] = memset(malloc(100 + (size_t)i), i, 100);
}

CALLED static void child_frees(int first) {
  for (int i = first; i < kBlocks; i += 2) free(g_blocks[i]);
}

CALLED static void child_allocates(int count) {
  for (int i = 0; i < count; ++i) {
    char* block = malloc(1000);
    block[0] = (char)i;
    g_sink += (uint64_t)(unsigned char)block[0];
    if (i % 2) free(block);
  }
  for (int i = 0; i < 4; ++i) g_blocks[i] = realloc(g_blocks[i], 5000);
}

static void wait_for(pid_t child) {
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || status != 0) abort();
}

int main(void) {
  parent_allocates();
  const pid_t first = fork();
  if (first == 0) {
    child_frees(5);
    child_allocates(40);
    const pid_t grandchild = fork();
    if (grandchild == 0) {
      child_frees(6);
      child_allocates(20);
      _exit(0);
    }
    wait_for(grandchild);
    _exit(0);
  }
  wait_for(first);
  const pid_t second = fork();
  if (second == 0) {
    child_frees(5);
    exit(0);
  }
  wait_for(second);
  child_frees(4);
  puts("done");
  return 0;
}
