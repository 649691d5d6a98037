// SPDX-License-Identifier: Apache-2.0
// threads N CALLS: N threads at once, each with CALLS calls of work and 3 of leaf in each.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>

#include "program.h"

static long g_calls;

CALLED static uint64_t leaf(uint64_t x) { return x * 3 + 1; }

CALLED static uint64_t work(uint64_t x) { return leaf(x) + leaf(x + 1) + leaf(x + 2); }

CALLED static void* thread_body(void* argument) {
  uint64_t sum = 0;
  for (long i = 0; i < g_calls; ++i) sum += work((uint64_t)(uintptr_t)argument + (uint64_t)i);
  return (void*)(uintptr_t)sum;
}

int main(int argc, char** argv) {
  long count = argument_or(argc, argv, 1, 4);
  g_calls = argument_or(argc, argv, 2, 10000);
  pthread_t* threads = calloc((size_t)count, sizeof *threads);
  for (long i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], NULL, thread_body, (void*)i) != 0) return 1;
    char name[16];
    snprintf(name, sizeof name, "worker-%ld", i);
    pthread_setname_np(threads[i], name);
  }
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    void* result;
    pthread_join(threads[i], &result);
    sum += (uint64_t)(uintptr_t)result;
  }
  printf("sum %llu\n", (unsigned long long)sum);
  free(threads);
  return 0;
}
