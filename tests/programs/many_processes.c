// SPDX-License-Identifier: Apache-2.0
// many_processes N: a tree of N processes, each with 10 calls; up to 64 are alive at a time.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void work(void) { ++g_sink; }

PLAIN static void ten_calls(void) {
  for (int i = 0; i < 10; ++i) work();
}

// Every eighth child has children of its own, so the tree is more than one level deep.
PLAIN static void child(long grandchildren) {
  ten_calls();
  for (long i = 0; i < grandchildren; ++i) {
    if (fork() == 0) {
      ten_calls();
      _exit(0);
    }
    while (wait(NULL) > 0) {
    }
  }
  _exit(0);
}

int main(int argc, char** argv) {
  long left = argument_or(argc, argv, 1, 4096) - 1;
  long alive = 0;
  ten_calls();
  for (long i = 0; left > 0; ++i) {
    long grandchildren = i % 8 == 0 && left > 4 ? 3 : 0;
    left -= 1 + grandchildren;
    if (alive == 64 && wait(NULL) > 0) --alive;
    pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) child(grandchildren);
    ++alive;
  }
  while (wait(NULL) > 0) {
  }
  printf("processes done\n");
  return 0;
}
