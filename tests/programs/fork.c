// SPDX-License-Identifier: Apache-2.0
// fork CHILDREN: forks three frames deep; children return through frames that the parent entered,
// fork again, and leave by return, exit, _exit and a signal.
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void parent_work(void) { ++g_sink; }
CALLED static void child_work(void) { ++g_sink; }
CALLED static void grandchild_work(void) { ++g_sink; }

CALLED static int leave(int child) {
  for (int i = 0; i <= child; ++i) child_work();
  if (child % 4 == 1) _exit(child);
  if (child % 4 == 2) {
    pid_t grandchild = fork();
    if (grandchild == 0) {
      for (int i = 0; i < 10; ++i) grandchild_work();
      exit(77);
    }
    int status;
    waitpid(grandchild, &status, 0);
    exit(WEXITSTATUS(status));
  }
  if (child % 4 == 3) raise(SIGKILL);
  return child;
}

CALLED static int fork_inside(int child) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) return leave(child);
  int status;
  waitpid(pid, &status, 0);
  printf("child %d: exit %d signal %d\n", child, WIFEXITED(status) ? WEXITSTATUS(status) : -1,
         WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return -1;
}

CALLED static int fork_below(int child) {
  int result = fork_inside(child);
  ++g_sink;
  return result;
}

int main(int argc, char** argv) {
  long children = argument_or(argc, argv, 1, 8);
  for (int child = 0; child < children; ++child) {
    for (int i = 0; i < 100; ++i) parent_work();
    int left = fork_below(child);
    if (left >= 0) return left;  // In the child: it goes home through frames it did not enter.
  }
  return 0;
}
