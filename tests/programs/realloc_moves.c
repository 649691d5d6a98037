// SPDX-License-Identifier: Apache-2.0
// realloc that moves, that need not, and that fails; a block that another thread resizes and frees;
// free of nothing; errno as it was. Prints what happened.
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static void* resize_and_free(void* block) {
  block = realloc(block, 5000);
  memset(block, 1, 5000);
  free(block);
  return NULL;
}

CALLED static void* filled(size_t bytes) { return memset(malloc(bytes), 3, bytes); }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  volatile size_t too_much = PTRDIFF_MAX;
  char* first = filled(1000);
  char* fence = filled(16);
  errno = 99;
  char* shrunk = realloc(first, 500);
  printf("shrunk %s, errno %d\n", shrunk == first ? "in place" : "elsewhere", errno);
  char* moved = realloc(shrunk, 100000);
  printf("grown %s, %d\n", moved == first ? "in place" : "elsewhere", moved[499]);
  char* large = realloc(moved, 50 << 20);
  printf("by mapping: %d\n", large[499]);
  errno = 98;
  char* failed = realloc(large, too_much);
  printf("failed: %s, %s, still %d\n", failed ? "memory" : "null", strerror(errno), large[499]);
  errno = 97;
  free(NULL);
  printf("free(NULL): errno %d\n", errno);
  free(large);
  printf("free: errno %d\n", errno);
  free(fence);
  pthread_t thread;
  if (pthread_create(&thread, NULL, resize_and_free, filled(100)) != 0) return 1;
  pthread_join(thread, NULL);
  printf("realloc to 0: %s\n", realloc(filled(10), 0) ? "memory" : "null");
  return 0;
}
