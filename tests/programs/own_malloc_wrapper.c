// SPDX-License-Identifier: Apache-2.0
// The program has a malloc of its own that finds libc's when it is first called, and counts; also
// from threads and from destructors of thread-specific data.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "program.h"

static _Atomic unsigned long g_mallocs, g_frees;
static __thread int t_inside;
static void* (*g_malloc)(size_t);
static void (*g_free)(void*);

void* malloc(size_t bytes) {
  if (!g_malloc) g_malloc = (void* (*)(size_t))dlsym(RTLD_NEXT, "malloc");
  if (!t_inside) {
    t_inside = 1;
    atomic_fetch_add(&g_mallocs, 1);
    t_inside = 0;
  }
  return g_malloc(bytes);
}

void free(void* block) {
  if (!g_free) g_free = (void (*)(void*))dlsym(RTLD_NEXT, "free");
  if (block) atomic_fetch_add(&g_frees, 1);
  g_free(block);
}

static pthread_key_t g_key;

static void destroy(void* value) {
  free(value);
  free(malloc(30));
}

static void* work(void* argument) {
  pthread_setspecific(g_key, malloc(64));
  for (int i = 0; i < 1000; ++i) free(malloc((size_t)i + 1));
  return argument;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (pthread_key_create(&g_key, destroy) != 0) return 1;
  const unsigned long mallocs = g_mallocs, frees = g_frees;
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) {
    if (pthread_create(&threads[i], NULL, work, NULL) != 0) return 1;
    if (pthread_join(threads[i], NULL) != 0) return 1;
  }
  printf("%lu %lu\n", g_mallocs - mallocs, g_frees - frees);
  return 0;
}
