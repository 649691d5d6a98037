// SPDX-License-Identifier: Apache-2.0
// pthread_exit: threads that leave from deep frames; the main thread leaves first.
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "program.h"

CALLED static void leaf(void) { ++g_sink; }

CALLED static void leave_at(int depth) {
  leaf();
  if (depth == 0) pthread_exit((void*)1);
  leave_at(depth - 1);
  ++g_sink;
}

CALLED static void* short_thread(void* depth) {
  leave_at((int)(intptr_t)depth);
  return NULL;
}

CALLED static void* last_thread(void* unused) {
  struct timespec pause = {0, 50000000};
  nanosleep(&pause, NULL);
  for (int i = 0; i < 100; ++i) leaf();
  printf("the last thread ends\n");
  return unused;
}

int main(void) {
  int left = 0;
  for (intptr_t i = 0; i < 50; ++i) {
    pthread_t thread;
    void* result;
    pthread_create(&thread, NULL, short_thread, (void*)i);
    pthread_join(thread, &result);
    left += result == (void*)1;
  }
  printf("left %d\n", left);
  pthread_t thread;
  pthread_create(&thread, NULL, last_thread, NULL);
  pthread_detach(thread);
  pthread_exit(NULL);
}
