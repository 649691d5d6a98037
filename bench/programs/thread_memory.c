// SPDX-License-Identifier: Apache-2.0
// thread_memory.c - how much memory a thread costs: N threads that called much, or once, all alive.
//
// Prints nothing about memory itself: the resident size goes to BENCH_TIMES_FILE while all threads
// still live. The difference between two values of `threads` is the price of a thread.
// usage: thread_memory THREADS CALLS_PER_THREAD
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"

static pthread_barrier_t all_called;
static pthread_barrier_t may_end;

static __attribute__((noinline, noclone)) uint64_t leaf(uint64_t x) { return x * 3 + 1; }

static __attribute__((noinline, noclone)) uint64_t fan(uint64_t x, int depth) {
  if (depth == 0) return leaf(x);
  return x & 1 ? fan(leaf(x), depth - 1) : fan(x / 2, depth - 1);
}

static BENCH_NO_HOOK void* run_thread(void* argument) {
  long calls = (long)(intptr_t)argument;
  volatile uint64_t sum = 0;
  for (long done = 0; done < calls; done += 8) sum += fan((uint64_t)done, 7);
  pthread_barrier_wait(&all_called);
  pthread_barrier_wait(&may_end);
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: thread_memory THREADS CALLS_PER_THREAD\n");
    return 2;
  }
  unsigned count = (unsigned)atoi(argv[1]);
  long calls = atol(argv[2]);
  pthread_t* threads = calloc(count + 1, sizeof *threads);
  if (threads == NULL) return 1;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_barrier_init(&all_called, NULL, count + 1);
  pthread_barrier_init(&may_end, NULL, count + 1);
  bench_begin();
  for (unsigned i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], &attributes, run_thread, (void*)(intptr_t)calls) != 0) abort();
  }
  pthread_barrier_wait(&all_called);
  bench_end();
  pthread_barrier_wait(&may_end);
  for (unsigned i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  printf("%u threads\n", count);
  return 0;
}
