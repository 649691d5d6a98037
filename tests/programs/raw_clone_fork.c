// SPDX-License-Identifier: Apache-2.0
// raw_clone_fork: children made behind libc's back, where no fork handler runs. The last one lives
// in its parent's memory until it ends.
#define _GNU_SOURCE
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void parent_work(void) { ++g_sink; }
CALLED static void child_work(void) { ++g_sink; }

CALLED static pid_t make_child(int way) {
  if (way == 0) return (pid_t)syscall(SYS_fork);
  if (way == 1) return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
  if (way == 2) {
    struct clone_args how;
    memset(&how, 0, sizeof how);
    how.exit_signal = SIGCHLD;
    return (pid_t)syscall(SYS_clone3, &how, sizeof how);
  }
  return _Fork();
}

// Not by syscall(), whose return address the child would overwrite.
CALLED static pid_t make_vfork_child(int status) {
  long pid = SYS_vfork;
  asm volatile("syscall" : "+a"(pid) : : "rcx", "r11", "memory");
  if (pid == 0) {
    for (int i = 0; i < 1000; ++i) child_work();
    _exit(status);
  }
  return (pid_t)pid;
}

int main(void) {
  for (int way = 0; way < 5; ++way) {
    for (int i = 0; i < 50; ++i) parent_work();
    pid_t pid = way == 4 ? make_vfork_child(10 + way) : make_child(way);
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
