// SPDX-License-Identifier: Apache-2.0
// many_threads N: N threads alive at once, each with 100 calls before and after all are there.
#include <pthread.h>
#include <stdio.h>

#include "program.h"

static pthread_barrier_t g_all_here;

CALLED static void work(void) { ++g_sink; }

CALLED static void* thread_body(void* unused) {
  for (int i = 0; i < 100; ++i) work();
  pthread_barrier_wait(&g_all_here);
  for (int i = 0; i < 100; ++i) work();
  return unused;
}

int main(int argc, char** argv) {
  long count = argument_or(argc, argv, 1, 10000);
  pthread_t* threads = calloc((size_t)count, sizeof *threads);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 16);
  pthread_barrier_init(&g_all_here, NULL, (unsigned)count + 1);
  for (long i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], &attributes, thread_body, NULL) != 0) {
      printf("only %ld threads\n", i);
      return 1;
    }
  }
  pthread_barrier_wait(&g_all_here);
  for (long i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  printf("threads %ld\n", count);
  return 0;
}
