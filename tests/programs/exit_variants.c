// SPDX-License-Identifier: Apache-2.0
// exit_variants WAY: every way out of a process, from three frames deep.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

static const char* g_way;

CALLED static void leaf(void) { ++g_sink; }

CALLED static void at_exit(void) {
  leaf();
  if (strcmp(g_way, "exit_in_atexit") == 0) exit(21);
}

CALLED static void on_quick_exit(void) { leaf(); }

CALLED static void* endless(void* unused) {
  struct timespec pause = {1000, 0};
  leaf();
  nanosleep(&pause, NULL);
  return unused;
}

CALLED static void* exit_in_thread(void* unused) {
  leaf();
  exit(22);
  return unused;
}

CALLED static int leave(void) {
  pthread_t thread;
  leaf();
  if (strcmp(g_way, "_exit") == 0) _exit(23);
  if (strcmp(g_way, "quick_exit") == 0) quick_exit(24);
  if (strcmp(g_way, "abort") == 0) abort();
  if (strcmp(g_way, "exit") == 0) exit(25);
  if (strcmp(g_way, "exit_in_atexit") == 0) exit(26);
  if (strcmp(g_way, "segv") == 0) raise(SIGSEGV);
  if (strcmp(g_way, "kill") == 0) raise(SIGKILL);
  if (strcmp(g_way, "term") == 0) raise(SIGTERM);
  if (strcmp(g_way, "exec") == 0) execl("/bin/sh", "sh", "-c", "exit 27", (char*)NULL);
  if (strcmp(g_way, "exit_in_thread") == 0) {
    pthread_create(&thread, NULL, exit_in_thread, NULL);
    pthread_join(thread, NULL);
  }
  if (strcmp(g_way, "detached") == 0) {
    for (int i = 0; i < 4; ++i) {
      pthread_create(&thread, NULL, endless, NULL);
      pthread_detach(thread);
    }
    struct timespec pause = {0, 50000000};
    nanosleep(&pause, NULL);
  }
  return 28;
}

CALLED static int below(void) {
  int status = leave();
  leaf();
  return status;
}

int main(int argc, char** argv) {
  g_way = argc > 1 ? argv[1] : "return";
  atexit(at_exit);
  at_quick_exit(on_quick_exit);
  return below();
}
