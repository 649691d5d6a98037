// SPDX-License-Identifier: Apache-2.0
// Loops of one cheap call each; prints "name nanoseconds" lines: the cost of one round.
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static pthread_mutex_t g_outer = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t g_inner = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t g_spin;
static sem_t g_semaphore;
static int g_pipe[2];
static FILE* g_null;

static void lock_unlock(void) {
  pthread_mutex_lock(&g_outer);
  pthread_mutex_unlock(&g_outer);
}
static void nested_locks(void) {
  pthread_mutex_lock(&g_outer);
  pthread_mutex_lock(&g_inner);
  pthread_mutex_unlock(&g_inner);
  pthread_mutex_unlock(&g_outer);
}
static void read_lock(void) {
  pthread_rwlock_rdlock(&g_rwlock);
  pthread_rwlock_unlock(&g_rwlock);
}
static void spin_lock(void) {
  pthread_spin_lock(&g_spin);
  pthread_spin_unlock(&g_spin);
}
static void semaphore(void) {
  sem_post(&g_semaphore);
  sem_wait(&g_semaphore);
}
static void pipe_byte(void) {
  char byte = 'x';
  if (write(g_pipe[1], &byte, 1) != 1 || read(g_pipe[0], &byte, 1) != 1) {
    abort();
  }
}
static void print_line(void) { fprintf(g_null, "%d %s\n", 12345678, "some text"); }
static void read_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
}

__attribute__((noinline)) static double cost_of(void (*body)(void), long rounds) {
  double best_ns = 1e18;
  for (int part = 0; part < 10; ++part) {
    const double begin = now_ns();
    for (long i = 0; i < rounds / 10; ++i) {
      body();
    }
    const double ns = (now_ns() - begin) / (double)(rounds / 10);
    best_ns = ns < best_ns ? ns : best_ns;
  }
  return best_ns;
}

static void* idle(void* unused) {
  pause();
  return unused;
}

int main(int argc, char** argv) {
  const double scale = argc > 1 ? atof(argv[1]) : 1;
  static const struct {
    const char* name;
    void (*body)(void);
    double rounds;
  } loops[] = {{"lock_unlock", lock_unlock, 4e6},   {"nested_locks", nested_locks, 2e6},
               {"rwlock_read", read_lock, 4e6},     {"spin_lock", spin_lock, 4e6},
               {"sem_post_wait", semaphore, 4e6},   {"pipe_byte", pipe_byte, 4e5},
               {"print_line", print_line, 2e6},
               {"clock_gettime", read_clock, 4e6}};
  pthread_t thread;
  g_null = fopen("/dev/null", "w");
  if (g_null == NULL || pipe(g_pipe) != 0 || pthread_spin_init(&g_spin, 0) != 0 || sem_init(&g_semaphore, 0, 0) != 0 ||
      pthread_create(&thread, NULL, idle, NULL) != 0) {  // libc has short cuts for one thread
    return 1;
  }
  for (unsigned i = 0; i < sizeof(loops) / sizeof(loops[0]); ++i) {
    printf("%s %.3f\n", loops[i].name, cost_of(loops[i].body, (long)(loops[i].rounds * scale)));
  }
  return 0;
}
