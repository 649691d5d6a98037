// SPDX-License-Identifier: Apache-2.0
// A "thread" made by clone() without thread-local storage of its own: it shares its maker's.
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static volatile int done;

static int child(void* argument) {
  (void)argument;
  for (int i = 0; i < 100; ++i) {
    if (write(1, "c", 1) != 1) return 1;
  }
  done = 1;
  return 0;
}

int main(void) {
  const size_t bytes = 1 << 16;
  char* stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const int pid = clone(child, stack + bytes, CLONE_VM | CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
  int status = 0;
  waitpid(pid, &status, 0);
  if (write(1, "\nend\n", 5) != 5) return 1;
  return done == 1 && WIFEXITED(status) ? 0 : 2;
}
