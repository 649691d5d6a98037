// SPDX-License-Identifier: Apache-2.0
// Condition variables as programs of before glibc 2.3.2 ask for them, beside the present ones, each
// 10 000 times to and fro.
#include <pthread.h>
#include <stdio.h>

#include "program.h"

int old_init(void* condition, const pthread_condattr_t* how);
int old_wait(void* condition, pthread_mutex_t* mutex);
int old_timedwait(void* condition, pthread_mutex_t* mutex, const struct timespec* until);
int old_signal(void* condition);
__asm__(".symver old_init, pthread_cond_init@GLIBC_2.2.5");
__asm__(".symver old_wait, pthread_cond_wait@GLIBC_2.2.5");
__asm__(".symver old_timedwait, pthread_cond_timedwait@GLIBC_2.2.5");
__asm__(".symver old_signal, pthread_cond_signal@GLIBC_2.2.5");

enum { kRounds = 10000 };

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_new = PTHREAD_COND_INITIALIZER;
static void* g_old[8];
static int g_turn;
static int g_is_old;

static void wait_for_turn(int turn) {
  while (g_turn != turn) {
    if (g_is_old) {
      old_wait(g_old, &g_mutex);
    } else {
      pthread_cond_wait(&g_new, &g_mutex);
    }
  }
}

static void give_turn(int turn) {
  g_turn = turn;
  if (g_is_old) {
    old_signal(g_old);
  } else {
    pthread_cond_signal(&g_new);
  }
}

static void* other(void* unused) {
  pthread_mutex_lock(&g_mutex);
  for (int i = 0; i < kRounds; ++i) {
    wait_for_turn(1);
    give_turn(0);
  }
  pthread_mutex_unlock(&g_mutex);
  return unused;
}

static void play(void) {
  pthread_t thread;
  g_turn = 0;
  pthread_create(&thread, NULL, other, NULL);
  pthread_mutex_lock(&g_mutex);
  for (int i = 0; i < kRounds; ++i) {
    give_turn(1);
    wait_for_turn(0);
  }
  pthread_mutex_unlock(&g_mutex);
  pthread_join(thread, NULL);
}

int main(void) {
  struct timespec past = {1, 0};
  play();
  g_is_old = 1;
  old_init(g_old, NULL);
  play();
  pthread_mutex_lock(&g_mutex);
  printf("old timedwait %d, new timedwait %d\n", old_timedwait(g_old, &g_mutex, &past),
         pthread_cond_timedwait(&g_new, &g_mutex, &past));
  pthread_mutex_unlock(&g_mutex);
  puts("played");
  return 0;
}
