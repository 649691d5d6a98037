// SPDX-License-Identifier: Apache-2.0
// Owners of robust mutexes die: a thread, and a process that shares one.
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

struct Shared {
  pthread_mutex_t mutex;
  volatile int is_taken;
};

static void* take_and_die(void* given) {
  struct Shared* shared = given;
  pthread_mutex_lock(&shared->mutex);
  shared->is_taken = 1;
  usleep(20000);
  return NULL;
}

static void wait_until_taken(const struct Shared* shared) {
  while (!shared->is_taken) {
    usleep(1000);
  }
}

static struct Shared* make(void) {
  pthread_mutexattr_t how;
  struct Shared* shared =
      mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_init(&how);
  pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&shared->mutex, &how);
  return shared;
}

static void after_death(pthread_mutex_t* mutex, int repair) {
  printf("lock %d", pthread_mutex_lock(mutex));
  if (repair) {
    printf(", consistent %d", pthread_mutex_consistent(mutex));
  }
  printf(", unlock %d", pthread_mutex_unlock(mutex));
  printf(", trylock %d\n", pthread_mutex_trylock(mutex));
}

int main(void) {
  for (int repair = 0; repair < 2; ++repair) {
    pthread_t thread;
    struct Shared* shared = make();
    pthread_create(&thread, NULL, take_and_die, shared);
    wait_until_taken(shared);
    after_death(&shared->mutex, repair);
    pthread_join(thread, NULL);
    shared = make();
    const pid_t child = fork();
    if (child == 0) {
      take_and_die(shared);
      _exit(0);
    }
    wait_until_taken(shared);
    after_death(&shared->mutex, repair);
    waitpid(child, NULL, 0);
  }
  return 0;
}
