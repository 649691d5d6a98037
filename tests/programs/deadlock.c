// SPDX-License-Identifier: Apache-2.0
// deadlock [own]: two threads take two locks in opposite orders and wait for each other until
// somebody ends the program; own: one takes a lock that it has. Says so first.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

pthread_mutex_t g_left = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t g_right = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t g_both;

__attribute__((noinline)) static void cross(pthread_mutex_t* own, pthread_mutex_t* other) {
  pthread_mutex_lock(own);
  pthread_barrier_wait(&g_both);
  pthread_mutex_lock(other);
}

static void* go_left(void* nothing) {
  pthread_setname_np(pthread_self(), "has_left");
  cross(&g_left, &g_right);
  return nothing;
}

static void* go_right(void* nothing) {
  pthread_setname_np(pthread_self(), "has_right");
  cross(&g_right, &g_left);
  return nothing;
}

static void* go_own(void* nothing) {
  pthread_setname_np(pthread_self(), "has_own");
  pthread_mutex_lock(&g_left);
  pthread_mutex_lock(&g_left);
  return nothing;
}

int main(int argc, char** argv) {
  int own = argc > 1;
  (void)argv;
  pthread_t left, right;
  pthread_barrier_init(&g_both, NULL, 2);
  pthread_create(&left, NULL, own ? go_own : go_left, NULL);
  if (!own) pthread_create(&right, NULL, go_right, NULL);
  usleep(300000);
  puts("deadlocked");
  fflush(stdout);
  alarm(1);  // ends it by SIGALRM
  pthread_join(left, NULL);
  if (!own) pthread_join(right, NULL);
  return 0;
}
