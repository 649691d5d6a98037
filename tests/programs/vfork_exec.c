// SPDX-License-Identifier: Apache-2.0
// vfork_exec: vfork then exec, and vfork whose exec fails; the children call nothing instrumented
// in the parent's memory.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void before(void) { ++g_sink; }
CALLED static void after(void) { ++g_sink; }
CALLED static void in_new_image(void) { ++g_sink; }

CALLED static int spawn(const char* path, char* const arguments[], char* const environment[]) {
  before();
  pid_t pid = vfork();
  if (pid == 0) {
    execve(path, arguments, environment);
    _exit(99);
  }
  after();
  int status;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) {
    for (int i = 0; i < 25; ++i) in_new_image();
    return 7;
  }
  char* arguments[] = {argv[0], "child", NULL};
  for (int i = 0; i < 5; ++i) {
    printf("exec: %d\n", spawn("/proc/self/exe", arguments, environ));
    printf("failed exec: %d\n", spawn("/nowhere/at/all", arguments, environ));
  }
  return 0;
}
