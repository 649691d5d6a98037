// SPDX-License-Identifier: Apache-2.0
// swapcontext SWITCHES: several stacks on one thread, each switched away from in the middle of a
// call chain; one of them is finished by another thread.
#include <pthread.h>
#include <stdio.h>
#include <ucontext.h>

#include "program.h"

enum { kFibres = 4, kStackBytes = 1 << 17 };

static ucontext_t g_main;
static ucontext_t g_fibres[kFibres];
static int g_current;
static int g_finished;
static volatile long g_switches;
static volatile long g_left;

CALLED static void leaf(void) { ++g_sink; }

CALLED static void yield_at(int depth) {
  leaf();
  if (depth > 0) {
    yield_at(depth - 1);
  } else {
    ++g_switches;
    swapcontext(&g_fibres[g_current], &g_main);
  }
  leaf();
}

CALLED static void fibre(int index) {
  while (g_left > 0) yield_at(index + 2);
  ++g_finished;
}

CALLED static void resume(int index) {
  g_current = index;
  swapcontext(&g_main, &g_fibres[index]);
}

CALLED static void* finish_elsewhere(void* unused) {
  g_left = 0;
  for (int i = 0; i < kFibres; ++i) resume(i);
  return unused;
}

int main(int argc, char** argv) {
  g_left = argument_or(argc, argv, 1, 1000);
  for (int i = 0; i < kFibres; ++i) {
    getcontext(&g_fibres[i]);
    g_fibres[i].uc_stack.ss_sp = malloc(kStackBytes);
    g_fibres[i].uc_stack.ss_size = kStackBytes;
    g_fibres[i].uc_link = &g_main;
    makecontext(&g_fibres[i], (void (*)(void))fibre, 1, i);
  }
  long rounds = g_left;
  for (long i = 0; i < rounds; ++i) resume((int)(i % kFibres));
  pthread_t thread;
  pthread_create(&thread, NULL, finish_elsewhere, NULL);
  pthread_join(thread, NULL);
  printf("switches %ld finished %d\n", g_switches, g_finished);
  return 0;
}
