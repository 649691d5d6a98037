// SPDX-License-Identifier: Apache-2.0
// Threads on 16 KiB stacks, with live vector registers, that wait, lock and write.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

enum { kThreads = 16, kStackBytes = 16384, kRounds = 200 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;

typedef float vector __attribute__((vector_size(32)));

CALLED static float spin(float seed) {
  vector a = {seed, 1, 2, 3, 4, 5, 6, 7};
  for (int i = 0; i < 2000; ++i) a = a * 1.0001f + 0.5f;
  return a[0] + a[7];
}

static void* work(void* argument) {
  const float expected = spin(1.0f);
  int fd[2];
  if (pipe(fd) != 0) return argument;
  for (int round = 0; round < kRounds; ++round) {
    char byte = 'x';
    if (write(fd[1], &byte, 1) != 1 || read(fd[0], &byte, 1) != 1) return argument;
    pthread_mutex_lock(&lock);
    total += spin(1.0f) == expected;  // a sample in between must not change a register
    pthread_mutex_unlock(&lock);
  }
  close(fd[0]);
  close(fd[1]);
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (i % 2 == 0) {
      pthread_attr_setstacksize(&attributes, kStackBytes);
    } else {
      void* stack = mmap(NULL, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      pthread_attr_setstack(&attributes, stack, kStackBytes);
    }
    if (pthread_create(&threads[i], &attributes, work, NULL) != 0) return 1;
    pthread_attr_destroy(&attributes);
  }
  for (int i = 0; i < kThreads; ++i) {
    void* failed = NULL;
    pthread_join(threads[i], &failed);
    if (failed != NULL) return 2;
  }
  printf("%ld\n", total);
  return total == (long)kThreads * kRounds ? 0 : 3;
}
