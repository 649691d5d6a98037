// SPDX-License-Identifier: Apache-2.0
// Owners of robust mutexes die: a thread, and a process that shares one.
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static void* take_and_die(void* mutex) {
  pthread_mutex_lock(mutex);
  usleep(20000);
  return NULL;
}

static pthread_mutex_t* make(void) {
  pthread_mutexattr_t how;
  pthread_mutex_t* mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_mutexattr_init(&how);
  pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
  pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(mutex, &how);
  return mutex;
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
    pthread_mutex_t* mutex = make();
    pthread_create(&thread, NULL, take_and_die, mutex);
    usleep(5000);
    after_death(mutex, repair);
    pthread_join(thread, NULL);
    mutex = make();
    const pid_t child = fork();
    if (child == 0) {
      take_and_die(mutex);
      _exit(0);
    }
    usleep(5000);
    after_death(mutex, repair);
    waitpid(child, NULL, 0);
  }
  return 0;
}
