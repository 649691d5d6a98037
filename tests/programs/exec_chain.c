// SPDX-License-Identifier: Apache-2.0
// exec_chain N: the process replaces itself N times, the last time from another thread, after an
// exec that fails.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "program.h"

static char* g_self;
static char g_left[16];

CALLED static void link_work(void) { ++g_sink; }
CALLED static void last_work(void) { ++g_sink; }

CALLED static void* exec_next(void* unused) {
  char* arguments[] = {g_self, g_left, NULL};
  execv("/nowhere/at/all", arguments);
  link_work();
  execv("/proc/self/exe", arguments);
  return unused;
}

int main(int argc, char** argv) {
  long left = argument_or(argc, argv, 1, 10);
  for (int i = 0; i < 10; ++i) link_work();
  if (left == 0) {
    last_work();
    printf("end of the chain\n");
    return 12;
  }
  g_self = argv[0];
  snprintf(g_left, sizeof g_left, "%ld", left - 1);
  if (left == 1) {
    pthread_t thread;
    pthread_create(&thread, NULL, exec_next, NULL);
    pthread_join(thread, NULL);
  }
  exec_next(NULL);
  return 1;
}
