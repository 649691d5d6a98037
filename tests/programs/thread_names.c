// SPDX-License-Identifier: Apache-2.0
// A thread that changes its name all the time, also to bytes that are no text.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "program.h"

static void* work(void* argument) {
  for (int i = 0; i < 1000; ++i) {
    char name[16];
    snprintf(name, sizeof name, "n\x1b[2J\xff%d", i);
    pthread_setname_np(pthread_self(), name);
    if (i % 100 == 0) usleep(100);
  }
  pthread_setname_np(pthread_self(), "last");
  usleep(100);
  return argument;
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, work, NULL);
  pthread_join(thread, NULL);
  puts("named");
  return 0;
}
