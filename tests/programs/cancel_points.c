// SPDX-License-Identifier: Apache-2.0
// A thread is cancelled in each cancellation point; cleanup handlers and destructors run. A mutex is
// no cancellation point, a semaphore that is free is one.
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t g_taken = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
static sem_t g_semaphore, g_free, g_started;
static int g_pipe[2], g_socket[2];
static int g_cleaned;
static pthread_t g_sleeper;

static void clean(void* unused) {
  (void)unused;
  g_cleaned += 1;
}
static void unlock(void* mutex) {
  g_cleaned += 1;
  pthread_mutex_unlock(mutex);
}

static void* sleeper(void* unused) {
  for (;;) {
    pause();
  }
  return unused;
}

static void in_read(void) { (void)!read(g_pipe[0], &g_sink, 1); }
static void in_recv(void) { recv(g_socket[0], (void*)&g_sink, 1, 0); }
static void in_poll(void) {
  struct pollfd one = {g_pipe[0], POLLIN, 0};
  poll(&one, 1, -1);
}
static void in_select(void) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(g_pipe[0], &set);
  select(g_pipe[0] + 1, &set, NULL, NULL, NULL);
}
static void in_sleep(void) { sleep(1000); }
static void in_nanosleep(void) {
  const struct timespec time = {1000, 0};
  nanosleep(&time, NULL);
}
static void in_pause(void) { pause(); }
static void in_sem_wait(void) { sem_wait(&g_semaphore); }
static void in_free_sem_wait(void) {
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
  usleep(300000);  // until the request is there
  pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
  sem_wait(&g_free);
}
static void in_join(void) { pthread_join(g_sleeper, NULL); }
static void in_cond_wait(void) {
  pthread_mutex_lock(&g_mutex);
  pthread_cleanup_push(unlock, &g_mutex);
  for (;;) {
    pthread_cond_wait(&g_condition, &g_mutex);
  }
  pthread_cleanup_pop(1);
}
static void in_cond_timedwait(void) {
  const struct timespec late = {4000000000, 0};
  pthread_mutex_lock(&g_mutex);
  pthread_cleanup_push(unlock, &g_mutex);
  for (;;) {
    pthread_cond_timedwait(&g_condition, &g_mutex, &late);
  }
  pthread_cleanup_pop(1);
}
// Reached only if the lock was no cancellation point.
static void in_mutex_lock(void) {
  pthread_mutex_lock(&g_taken);
  g_cleaned += 100;
  pthread_mutex_unlock(&g_taken);
  pthread_testcancel();
}

struct Case {
  const char* name;
  void (*body)(void);
};

static void* run(void* given) {
  const struct Case* wanted = given;
  pthread_cleanup_push(clean, NULL);
  sem_post(&g_started);
  wanted->body();
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancel_in(const struct Case* wanted) {
  pthread_t thread;
  void* result = NULL;
  g_cleaned = 0;
  pthread_create(&thread, NULL, run, (void*)wanted);
  sem_wait(&g_started);
  usleep(10000);
  pthread_cancel(thread);
  usleep(10000);
  if (wanted->body == in_mutex_lock) {
    pthread_mutex_unlock(&g_taken);
  }
  pthread_join(thread, &result);
  printf("%s: %s, cleaned %d\n", wanted->name,
         result == PTHREAD_CANCELED ? "cancelled" : "returned", g_cleaned);
}

int main(void) {
  static const struct Case cases[] = {
      {"read", in_read},           {"recv", in_recv},
      {"poll", in_poll},           {"select", in_select},
      {"sleep", in_sleep},         {"nanosleep", in_nanosleep},
      {"pause", in_pause},         {"sem_wait", in_sem_wait},
      {"free sem_wait", in_free_sem_wait}, {"join", in_join},
      {"cond_wait", in_cond_wait}, {"cond_timedwait", in_cond_timedwait},
      {"mutex_lock", in_mutex_lock}};
  sem_init(&g_semaphore, 0, 0);
  sem_init(&g_free, 0, 100);
  sem_init(&g_started, 0, 0);
  if (pipe(g_pipe) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, g_socket) != 0) {
    return 1;
  }
  pthread_create(&g_sleeper, NULL, sleeper, NULL);
  pthread_mutex_lock(&g_taken);
  for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
    cancel_in(&cases[i]);
  }
  return 0;
}
