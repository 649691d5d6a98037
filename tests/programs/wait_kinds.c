// SPDX-License-Identifier: Apache-2.0
// Every kind of lock and condition, waited for once for 100 ms and once not at all, and what each
// call returned.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

enum { kWaitUs = 100000 };

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_condition = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t g_spin;
static pthread_barrier_t g_barrier;
static sem_t g_semaphore;
static mtx_t g_mtx;
static int g_ready;

static struct timespec in_ms(long ms, clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += ms * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

static void* holder(void* unused) {
  pthread_mutex_lock(&g_mutex);
  pthread_rwlock_wrlock(&g_rwlock);
  pthread_spin_lock(&g_spin);
  mtx_lock(&g_mtx);
  pthread_barrier_wait(&g_barrier);
  usleep(kWaitUs);
  mtx_unlock(&g_mtx);
  usleep(kWaitUs);
  pthread_spin_unlock(&g_spin);
  usleep(kWaitUs);
  pthread_rwlock_unlock(&g_rwlock);
  usleep(kWaitUs);
  g_ready = 1;
  pthread_cond_signal(&g_condition);
  pthread_mutex_unlock(&g_mutex);
  usleep(kWaitUs);
  sem_post(&g_semaphore);
  usleep(kWaitUs);
  return unused;
}

static void wait_for_all(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, holder, NULL);
  pthread_barrier_wait(&g_barrier);
  printf("trylock %d %d %d\n", pthread_mutex_trylock(&g_mutex), pthread_spin_trylock(&g_spin),
         pthread_rwlock_tryrdlock(&g_rwlock));
  struct timespec soon = in_ms(2, CLOCK_REALTIME);
  printf("timedlock %d\n", pthread_mutex_timedlock(&g_mutex, &soon));
  soon = in_ms(2, CLOCK_MONOTONIC);
  printf("clocklock %d\n", pthread_mutex_clocklock(&g_mutex, CLOCK_MONOTONIC, &soon));
  soon = in_ms(2, CLOCK_REALTIME);
  printf("timedrdlock %d\n", pthread_rwlock_timedrdlock(&g_rwlock, &soon));
  soon = in_ms(2, CLOCK_REALTIME);
  errno = 0;
  const int result = sem_timedwait(&g_semaphore, &soon);
  printf("sem_timedwait %d %d\n", result, errno);
  printf("mtx_lock %d\n", mtx_lock(&g_mtx));
  printf("spin %d\n", pthread_spin_lock(&g_spin));
  printf("rdlock %d\n", pthread_rwlock_rdlock(&g_rwlock));
  pthread_mutex_lock(&g_mutex);
  soon = in_ms(2, CLOCK_REALTIME);
  printf("cond_timedwait %d\n", pthread_cond_timedwait(&g_condition, &g_mutex, &soon));
  while (!g_ready) {
    pthread_cond_wait(&g_condition, &g_mutex);
  }
  pthread_mutex_unlock(&g_mutex);
  printf("sem %d\n", sem_wait(&g_semaphore));
  printf("join %d\n", pthread_join(thread, NULL));
  mtx_unlock(&g_mtx);
  pthread_spin_unlock(&g_spin);
  pthread_rwlock_unlock(&g_rwlock);
}

// What a try before the lock may not change.
static void ask_for_errors(void) {
  pthread_mutexattr_t how;
  pthread_mutex_t mutex;
  pthread_mutexattr_init(&how);
  pthread_mutexattr_settype(&how, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&mutex, &how);
  printf("errorcheck %d", pthread_mutex_unlock(&mutex));
  printf(" %d", pthread_mutex_lock(&mutex));
  printf(" %d", pthread_mutex_lock(&mutex));
  printf(" %d", pthread_mutex_trylock(&mutex));
  printf(" %d", pthread_mutex_unlock(&mutex));
  printf(" %d\n", pthread_mutex_destroy(&mutex));
  pthread_mutexattr_settype(&how, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT);
  pthread_mutex_init(&mutex, &how);
  printf("recursive %d", pthread_mutex_lock(&mutex));
  printf(" %d", pthread_mutex_lock(&mutex));
  printf(" %d", pthread_mutex_trylock(&mutex));
  for (int i = 0; i < 4; ++i) {
    printf(" %d", pthread_mutex_unlock(&mutex));
  }
  printf(" %d\n", pthread_mutex_destroy(&mutex));
  const struct timespec wrong = {0, 2000000000};
  printf("wrong time %d", pthread_rwlock_timedwrlock(&g_rwlock, &wrong));
  errno = 0;
  sem_post(&g_semaphore);
  printf(" %d", sem_timedwait(&g_semaphore, &wrong));
  printf(" %d", errno);
  printf(" %d\n", pthread_mutex_clocklock(&g_mutex, CLOCK_PROCESS_CPUTIME_ID, &wrong));
  printf("rwlock %d", pthread_rwlock_wrlock(&g_rwlock));
  printf(" %d", pthread_rwlock_wrlock(&g_rwlock));
  printf(" %d", pthread_rwlock_rdlock(&g_rwlock));
  printf(" %d\n", pthread_rwlock_unlock(&g_rwlock));
}

int main(void) {
  pthread_spin_init(&g_spin, PTHREAD_PROCESS_PRIVATE);
  pthread_barrier_init(&g_barrier, NULL, 2);
  sem_init(&g_semaphore, 0, 0);
  mtx_init(&g_mtx, mtx_plain);
  wait_for_all();
  ask_for_errors();
  return 0;
}
