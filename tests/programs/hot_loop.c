// SPDX-License-Identifier: Apache-2.0
// hot_loop FILE THREADS MILLISECONDS: calls without pause and counts, per thread, the calls of
// outer that have returned, in the shared file FILE (one 64-bit counter each 64 bytes). Runs until
// it is killed, or MILLISECONDS long when that is not 0.
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

struct Counter {
  _Atomic uint64_t returned;
  char padding[56];
};

static struct Counter* g_counters;
static uint64_t g_end_ns;

CALLED static uint64_t inner(uint64_t x) { return x * 5 + 1; }
CALLED static uint64_t outer(uint64_t x) { return inner(x) + inner(x + 1); }

PLAIN static void* thread_body(void* index) {
  struct Counter* counter = &g_counters[(uintptr_t)index];
  uint64_t sum = 0;
  do {
    for (int i = 0; i < 1000; ++i) {
      sum += outer(sum);
      uint64_t returned = atomic_load_explicit(&counter->returned, memory_order_relaxed);
      atomic_store_explicit(&counter->returned, returned + 1, memory_order_release);
    }
  } while (!g_end_ns || clock_ns(CLOCK_MONOTONIC) < g_end_ns);
  g_sink = sum;
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  long threads = argument_or(argc, argv, 2, 1);
  long milliseconds = argument_or(argc, argv, 3, 0);
  int fd = open(argv[1], O_RDWR | O_CREAT, 0600);
  size_t bytes = (size_t)threads * sizeof(struct Counter);
  if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) return 1;
  g_counters = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (milliseconds) g_end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)milliseconds * 1000000u;
  pthread_t* ids = calloc((size_t)threads, sizeof *ids);
  for (long i = 1; i < threads; ++i) pthread_create(&ids[i], NULL, thread_body, (void*)i);
  thread_body(0);
  for (long i = 1; i < threads; ++i) pthread_join(ids[i], NULL);
  printf("finished\n");
  return 33;
}
