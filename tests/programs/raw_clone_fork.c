// SPDX-License-Identifier: Apache-2.0
// raw_clone_fork: children made behind libc's back, where no fork handler runs.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void parent_work(void) { ++g_sink; }
CALLED static void child_work(void) { ++g_sink; }

CALLED static pid_t make_child(int way) {
  if (way == 0) return (pid_t)syscall(SYS_fork);
  if (way == 1) return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  return _Fork();
}

int main(void) {
  for (int way = 0; way < 3; ++way) {
    for (int i = 0; i < 50; ++i) parent_work();
    pid_t pid = make_child(way);
    if (pid == 0) {
      for (int i = 0; i < 1000; ++i) child_work();
      _exit(10 + way);
    }
    for (int i = 0; i < 1000; ++i) parent_work();
    int status;
    waitpid(pid, &status, 0);
    printf("way %d: exit %d\n", way, WEXITSTATUS(status));
  }
  return 0;
}
