// SPDX-License-Identifier: Apache-2.0
// Makes the time stamp counter a fault, then allocates, maps, waits, computes and starts a thread.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "program.h"

CALLED static uint64_t work(uint64_t n) { return n < 2 ? n : work(n - 1) + work(n - 2); }

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void* allocate_and_wait(void* unused) {
  char* volatile block = malloc(1000);
  if (block == NULL || (block = realloc(block, 100000)) == NULL) exit(2);
  free(block);
  void* pages = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) exit(3);
  pages = mremap(pages, 1 << 20, 1 << 21, MREMAP_MAYMOVE);
  if (pages == MAP_FAILED || munmap(pages, 1 << 21) != 0) exit(4);
  if (sbrk(0) == (void*)-1) exit(5);
  pthread_mutex_lock(&mutex);
  usleep(1000);
  pthread_mutex_unlock(&mutex);
  g_sink += work(25);
  return unused;
}

int main(void) {
  if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) != 0) return 1;
  allocate_and_wait(NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, allocate_and_wait, NULL) != 0) return 6;
  pthread_join(thread, NULL);
  puts("alive");
  return 11;
}
