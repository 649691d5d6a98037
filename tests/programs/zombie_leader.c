// SPDX-License-Identifier: Apache-2.0
// zombie_leader PLUGIN: the main thread leaves first, so /proc shows the process as a zombie,
// without memory or descriptors. Another thread goes on: threads, children, loads, files, and the
// end.
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void work(void) { ++g_sink; }

static char state_of_leader(void) {
  char line[512] = "";
  FILE* file = fopen("/proc/self/stat", "r");
  const char* got = file ? fgets(line, sizeof line, file) : NULL;
  if (file) fclose(file);
  const char* end = got ? strrchr(line, ')') : NULL;
  return end ? end[2] : '-';
}

static void* in_thread(void* unused) {
  for (int i = 0; i < 10; ++i) work();
  return unused;
}

static int run_child(void) {
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 100; ++i) work();
    _exit(21);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : -1;
}

static void load(const char* path) {
  void* plugin = dlopen(path, RTLD_NOW);
  if (plugin == NULL) exit(3);
  ((void (*)(int))dlsym(plugin, "plugin_entry"))(5);
  dlclose(plugin);
}

static void burn(long milliseconds) {
  const uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + (uint64_t)milliseconds * 1000000;
  while (clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
    for (int i = 0; i < 1000; ++i) g_sink += (uint64_t)i;
  }
}

static void* go_on(void* path) {
  while (state_of_leader() != 'Z') usleep(1000);
  for (int round = 0; round < 10; ++round) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, in_thread, NULL) != 0) exit(4);
    pthread_join(thread, NULL);
    if (run_child() != 21) exit(5);
    load(path);
    free(malloc(100000));
    burn(10);
  }
  printf("leader %c\n", state_of_leader());
  exit(9);
}

int main(int argc, char** argv) {
  pthread_t thread;
  if (argc < 2 || pthread_create(&thread, NULL, go_on, argv[1]) != 0) return 2;
  pthread_exit(NULL);
}
