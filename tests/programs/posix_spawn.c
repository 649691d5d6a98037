// SPDX-License-Identifier: Apache-2.0
// posix_spawn: children by posix_spawn, system and popen.
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void child_work(void) { ++g_sink; }

CALLED static int spawn_self(char* self) {
  char* arguments[] = {self, "child", NULL};
  pid_t pid;
  if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ) != 0) return -1;
  int status;
  waitpid(pid, &status, 0);
  return WEXITSTATUS(status);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) {
    for (int i = 0; i < 30; ++i) child_work();
    return 3;
  }
  for (int i = 0; i < 4; ++i) printf("spawned: %d\n", spawn_self(argv[0]));
  fflush(stdout);
  int status = system("exit 5");
  printf("system: %d\n", WEXITSTATUS(status));
  char line[64] = "";
  FILE* pipe = popen("echo through a pipe", "r");
  if (pipe && fgets(line, sizeof line, pipe)) printf("popen: %s", line);
  if (pipe) pclose(pipe);
  return 0;
}
