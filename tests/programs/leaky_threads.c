// SPDX-License-Identifier: Apache-2.0
// Threads that end with memory that only they knew; part of what they got, main loses.
#include <pthread.h>

#include "leaks.h"

CALLED static void* lose_buffer(size_t bytes) { return memset(malloc(bytes), 1, 10); }
CALLED static void* result_of(long number) {
  char* result = malloc(48);
  result[0] = (char)number;
  return result;
}

static void* work(void* argument) {
  const long number = (long)argument;
  for (long i = 0; i < 25; ++i) {
    void* kept = lose_buffer(100 + (size_t)i);
    if (i % 5 == 0) free(kept);
  }
  void* result = result_of(number);
  forget_stack();
  return result;
}

CALLED static void run_threads(void) {
  for (long i = 0; i < 8; ++i) {
    pthread_t thread;
    void* result = NULL;
    if (pthread_create(&thread, NULL, work, (void*)i) != 0) abort();
    pthread_join(thread, &result);
    if (i % 2) free(result);
  }
}

int main(void) {
  run_threads();
  forget_stack();
  return 0;
}
