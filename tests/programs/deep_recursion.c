// SPDX-License-Identifier: Apache-2.0
// deep_recursion DEPTH: one call chain of DEPTH frames, on a thread with a stack that is big
// enough.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>

#include "program.h"

CALLED static uint64_t descend(uint64_t depth) {
  return depth == 0 ? 0 : descend(depth - 1) + 1 + 0 * ++g_sink;
}

CALLED static void* deep_thread(void* depth) {
  return (void*)(uintptr_t)descend((uint64_t)(uintptr_t)depth);
}

int main(int argc, char** argv) {
  long depth = argument_or(argc, argv, 1, 1000000);
  size_t stack_bytes = (size_t)depth * 256 + (1u << 20);
  void* stack = mmap(NULL, stack_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  if (stack == MAP_FAILED || pthread_attr_setstack(&attributes, stack, stack_bytes) != 0) return 1;
  for (int round = 0; round < 2; ++round) {
    pthread_t thread;
    void* reached;
    if (pthread_create(&thread, &attributes, deep_thread, (void*)(depth - 1)) != 0) return 1;
    pthread_join(thread, &reached);
    printf("depth %lu\n", (unsigned long)(uintptr_t)reached + 1);
  }
  return 0;
}
