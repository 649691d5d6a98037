// SPDX-License-Identifier: Apache-2.0
// idle_pool MS [kill|term]: threads that wait when the process ends: in a condition variable, in a
// bare futex, nowhere (it computes), and one that was not scheduled for long before it waits.
// Prints the CPU milliseconds of each, then ends.
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
static atomic_int g_word;
static volatile unsigned g_sink;

static double cpu_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return 1e3 * (double)now.tv_sec + 1e-6 * (double)now.tv_nsec;
}

static void compute(double ms) {
  while (cpu_ms(CLOCK_THREAD_CPUTIME_ID) < ms) {
    for (unsigned i = 0; i < 10000; ++i) g_sink += i;
  }
}

static void wait_for_ever(void) {
  pthread_mutex_lock(&g_mutex);
  for (;;) pthread_cond_wait(&g_condition, &g_mutex);
}

static void* condition(void* unused) {
  pthread_setname_np(pthread_self(), "condition");
  (void)unused;
  wait_for_ever();
  return NULL;
}

static void* computes_first(void* unused) {
  pthread_setname_np(pthread_self(), "computes_first");
  compute(40);
  wait_for_ever();
  return unused;
}

static void* bare_futex(void* unused) {
  pthread_setname_np(pthread_self(), "bare_futex");
  usleep(1);  // so that it is known
  for (;;) syscall(SYS_futex, &g_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  return unused;
}

static void* computes(void* unused) {
  pthread_setname_np(pthread_self(), "computes");
  usleep(1);
  compute(1e9);
  return unused;
}

int main(int argc, char** argv) {
  static void* (*const kBodies[])(void*) = {condition, computes_first, bare_futex, computes};
  static const char* const kNames[] = {"condition", "computes_first", "bare_futex", "computes"};
  const char* end = argc > 2 ? argv[2] : "";
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) pthread_create(&threads[i], NULL, kBodies[i], NULL);
  usleep((useconds_t)(1000 * (argc > 1 ? atoi(argv[1]) : 300)));
  for (int i = 0; i < 4; ++i) {
    clockid_t clock;
    pthread_getcpuclockid(threads[i], &clock);
    printf("%s %.3f\n", kNames[i], cpu_ms(clock));
  }
  fflush(stdout);
  if (!strcmp(end, "kill")) raise(SIGKILL);
  if (!strcmp(end, "term")) raise(SIGTERM);
  return 0;
}
