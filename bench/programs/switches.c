// SPDX-License-Identifier: Apache-2.0
// Two threads on one CPU hand a byte to each other, then threads begin and end; prints
// "name nanoseconds" lines: the cost of one round. What a switch and a thread cost more.
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int g_there[2], g_back[2];

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void* echo(void* nothing) {
  char byte;
  while (read(g_there[0], &byte, 1) == 1) {
    if (write(g_back[1], &byte, 1) != 1) abort();
  }
  return nothing;
}

static void* end_at_once(void* nothing) { return nothing; }

static double round_trips(long rounds) {
  char byte = 'x';
  const double begin = now_ns();
  for (long i = 0; i < rounds; ++i) {
    if (write(g_there[1], &byte, 1) != 1 || read(g_back[0], &byte, 1) != 1) abort();
  }
  return (now_ns() - begin) / (double)rounds;
}

static double threads(long rounds) {
  const double begin = now_ns();
  for (long i = 0; i < rounds; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_at_once, NULL) != 0) abort();
    pthread_join(thread, NULL);
  }
  return (now_ns() - begin) / (double)rounds;
}

int main(int argc, char** argv) {
  const double scale = argc > 1 ? atof(argv[1]) : 1;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  sched_setaffinity(0, sizeof one, &one);
  pthread_t other;
  if (pipe(g_there) != 0 || pipe(g_back) != 0 || pthread_create(&other, NULL, echo, NULL) != 0) {
    return 2;
  }
  printf("there_and_back %.1f\n", round_trips((long)(100000 * scale) + 1));
  close(g_there[1]);
  pthread_join(other, NULL);
  printf("thread_born_and_joined %.1f\n", threads((long)(10000 * scale) + 1));
  return 0;
}
