// SPDX-License-Identifier: Apache-2.0
// Forks while other threads wait, lock and write; children lock, write and wait themselves. Also
// vfork, whose child works on its parent's memory.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

enum { kForks = 100, kThreads = 4 };

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile int g_stop;
static int g_null;

static void* busy(void* unused) {
  while (!g_stop) {
    pthread_mutex_lock(&g_mutex);
    (void)!write(g_null, "x", 1);
    usleep(50);
    pthread_mutex_unlock(&g_mutex);
    usleep(20);  // who takes it back at once starves the others
  }
  return unused;
}

static void before(void) { pthread_mutex_lock(&g_mutex); }
static void after(void) { pthread_mutex_unlock(&g_mutex); }

static int child(void) {
  int ends[2];
  char byte = 0;
  pthread_mutex_lock(&g_mutex);
  const int fine = pipe(ends) == 0 && write(ends[1], "y", 1) == 1 && read(ends[0], &byte, 1) == 1;
  pthread_mutex_unlock(&g_mutex);
  pthread_t thread;
  g_stop = 1;
  pthread_create(&thread, NULL, busy, NULL);
  pthread_join(thread, NULL);
  usleep(100);
  return fine && byte == 'y' ? 7 : 8;
}

static int vforked_child(void) {
  const pid_t pid = vfork();
  if (pid == 0) {
    close(g_null);
    if (open("/dev/zero", O_WRONLY) != g_null) {
      _exit(8);
    }
    execl("/bin/sh", "sh", "-c", "exit 7", (char*)NULL);
    _exit(9);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

int main(void) {
  pthread_t threads[kThreads];
  int right = 0;
  g_null = open("/dev/null", O_WRONLY);
  pthread_atfork(before, after, after);
  for (int i = 0; i < kThreads; ++i) {
    pthread_create(&threads[i], NULL, busy, NULL);
  }
  for (int i = 0; i < kForks; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      _exit(child());
    }
    int status = 0;
    waitpid(pid, &status, 0);
    right += WEXITSTATUS(status) == 7;
    right += i % 10 == 0 && vforked_child() == 7;
  }
  g_stop = 1;
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
  }
  printf("%d right\n", right);
  return 0;
}
