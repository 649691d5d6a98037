// SPDX-License-Identifier: Apache-2.0
// Waits whose true length the program knows: sleeps, a pipe, and a convoy of eight threads at one
// lock, each of which holds it for a known time. Prints nothing; writes "name calls total_ns" lines
// to argv[1], as its own clock saw them.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

enum { kThreads = 8, kRounds = 5, kHoldMs = 10, kPipeRounds = 20, kPipeMs = 8 };

static FILE* g_truth;
static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t g_gate = PTHREAD_MUTEX_INITIALIZER;
static int g_pipe[2];
static uint64_t g_lock_ns[kThreads];
static uint64_t g_hold_ns;

static void say(const char* name, long calls, uint64_t total_ns) {
  fprintf(g_truth, "%s %ld %llu\n", name, calls, (unsigned long long)total_ns);
}

static void sleep_ms(long ms) {
  const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
}

// Works without a call, so that the thread that holds the lock is in this function for certain.
CALLED static void work_ms(long ms) {
  const uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)ms * 1000000;
  while (clock_ns(CLOCK_MONOTONIC) < end) {
    g_sink += 1;
  }
}

CALLED static void hold_the_lock(uint64_t* waited_ns) {
  const uint64_t before = clock_ns(CLOCK_MONOTONIC);
  pthread_mutex_lock(&g_mutex);
  const uint64_t taken = clock_ns(CLOCK_MONOTONIC);
  *waited_ns += taken - before;
  work_ms(kHoldMs);
  g_hold_ns += clock_ns(CLOCK_MONOTONIC) - taken;
  pthread_mutex_unlock(&g_mutex);
}

CALLED static void* convoy(void* argument) {
  for (int i = 0; i < kRounds; ++i) {
    hold_the_lock(argument);
    usleep(100);
  }
  return NULL;
}

// One thread has the gate for long; the other waits for it once.
CALLED static void* keep_the_gate(void* unused) {
  say("keeper", gettid(), 0);
  pthread_mutex_lock(&g_gate);
  sleep_ms(100);
  pthread_mutex_unlock(&g_gate);
  return unused;
}

CALLED static void wait_at_the_gate(void) {
  pthread_t keeper;
  pthread_create(&keeper, NULL, keep_the_gate, NULL);
  sleep_ms(30);
  const uint64_t before = clock_ns(CLOCK_MONOTONIC);
  pthread_mutex_lock(&g_gate);
  say("gate", 1, clock_ns(CLOCK_MONOTONIC) - before);
  pthread_mutex_unlock(&g_gate);
  pthread_join(keeper, NULL);
}

CALLED static void* feed_the_pipe(void* unused) {
  for (int i = 0; i < kPipeRounds; ++i) {
    sleep_ms(kPipeMs);
    if (write(g_pipe[1], "x", 1) != 1) {
      abort();
    }
  }
  return unused;
}

CALLED static void wait_for_the_pipe(void) {
  pthread_t feeder;
  uint64_t total_ns = 0;
  if (pipe(g_pipe) != 0) {
    abort();
  }
  pthread_create(&feeder, NULL, feed_the_pipe, NULL);
  for (int i = 0; i < kPipeRounds; ++i) {
    char byte;
    const uint64_t before = clock_ns(CLOCK_MONOTONIC);
    if (read(g_pipe[0], &byte, 1) != 1) {
      abort();
    }
    total_ns += clock_ns(CLOCK_MONOTONIC) - before;
  }
  say("pipe", kPipeRounds, total_ns);
  pthread_join(feeder, NULL);
}

CALLED static void sleep_known_times(void) {
  uint64_t total_ns = 0;
  for (int i = 1; i <= 10; ++i) {
    const struct timespec time = {0, i * 2000000};
    const uint64_t before = clock_ns(CLOCK_MONOTONIC);
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
    total_ns += clock_ns(CLOCK_MONOTONIC) - before;
  }
  say("clock_nanosleep", 10, total_ns);
  const uint64_t before = clock_ns(CLOCK_MONOTONIC);
  poll(NULL, 0, 50);
  say("poll", 1, clock_ns(CLOCK_MONOTONIC) - before);
}

int main(int argc, char** argv) {
  g_truth = fopen(argc > 1 ? argv[1] : "/dev/null", "w");
  sleep_known_times();
  wait_for_the_pipe();
  wait_at_the_gate();
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    pthread_create(&threads[i], NULL, convoy, &g_lock_ns[i]);
  }
  uint64_t total_ns = 0;
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    total_ns += g_lock_ns[i];
  }
  say("convoy", kThreads * kRounds, total_ns);
  say("held", kThreads * kRounds, g_hold_ns);
  fclose(g_truth);
  return 0;
}
