// SPDX-License-Identifier: Apache-2.0
// crowded_cpu.c - several threads that only compute share one CPU, so each is ready, but does not
// run, most of its life. Each prints what the kernel says of that: "<name> <cpu ms> <ready ms>".
//
// usage: crowded_cpu THREADS MILLISECONDS     CPU time of each
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int wanted_ms;

static double own_cpu_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void* compute(void* number) {
  char name[16];
  snprintf(name, sizeof name, "crowd_%d", (int)(long)number);
  pthread_setname_np(pthread_self(), name);
  while (own_cpu_ms() < wanted_ms) {
  }
  unsigned long long cpu_ns = 0, ready_ns = 0;
  FILE* file = fopen("/proc/thread-self/schedstat", "r");
  if (file == NULL || fscanf(file, "%llu %llu", &cpu_ns, &ready_ns) != 2) abort();
  fclose(file);
  printf("%s %.3f %.3f\n", name, (double)cpu_ns / 1e6, (double)ready_ns / 1e6);
  return NULL;
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? atoi(argv[1]) : 3;
  wanted_ms = argc > 2 ? atoi(argv[2]) : 200;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  pthread_t ids[64];
  for (long i = 0; i < threads; ++i) pthread_create(&ids[i], NULL, compute, (void*)i);
  for (int i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  return 0;
}
