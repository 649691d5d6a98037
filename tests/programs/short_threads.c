// SPDX-License-Identifier: Apache-2.0
// short_threads N: N threads one after the other, eight alive at a time, one call each.
#include <pthread.h>
#include <stdio.h>

#include "program.h"

CALLED static void work(void) { ++g_sink; }

PLAIN static void* thread_body(void* unused) {
  work();
  return unused;
}

int main(int argc, char** argv) {
  long count = argument_or(argc, argv, 1, 1000000);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 1 << 16);
  pthread_t threads[8];
  for (long i = 0; i < count; ++i) {
    if (i >= 8) pthread_join(threads[i % 8], NULL);
    if (pthread_create(&threads[i % 8], &attributes, thread_body, NULL) != 0) return 1;
  }
  for (long i = count > 8 ? count - 8 : 0; i < count; ++i) pthread_join(threads[i % 8], NULL);
  printf("threads %ld\n", count);
  return 0;
}
