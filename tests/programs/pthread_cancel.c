// SPDX-License-Identifier: Apache-2.0
// pthread_cancel: cancels threads in a blocking call and, asynchronously, in a computation without
// calls; cleanup handlers call instrumented functions.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>

#include "program.h"

static sem_t g_ready;
static int g_cleaned;

CALLED static void cleanup(void* unused) {
  (void)unused;
  ++g_cleaned;
}

CALLED static void block_below(int depth) {
  if (depth == 0) {
    sem_post(&g_ready);
    for (;;) pause();
  }
  block_below(depth - 1);
  ++g_sink;
}

CALLED static void* deferred(void* depth) {
  pthread_cleanup_push(cleanup, NULL);
  block_below((int)(intptr_t)depth);
  pthread_cleanup_pop(0);
  return NULL;
}

CALLED static void compute_for_ever(void) {
  sem_post(&g_ready);
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (;;) ++g_sink;
}

CALLED static void* asynchronous(void* unused) {
  pthread_cleanup_push(cleanup, NULL);
  compute_for_ever();
  pthread_cleanup_pop(0);
  return unused;
}

CALLED static int cancel_one(void* (*body)(void*), void* argument) {
  pthread_t thread;
  void* result;
  pthread_create(&thread, NULL, body, argument);
  sem_wait(&g_ready);
  pthread_cancel(thread);
  pthread_join(thread, &result);
  return result == PTHREAD_CANCELED;
}

int main(void) {
  int cancelled = 0;
  sem_init(&g_ready, 0, 0);
  for (intptr_t i = 0; i < 20; ++i) {
    cancelled += cancel_one(deferred, (void*)i);
    cancelled += cancel_one(asynchronous, NULL);
  }
  printf("cancelled %d cleaned %d\n", cancelled, g_cleaned);
  return 0;
}
