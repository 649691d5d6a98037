// SPDX-License-Identifier: Apache-2.0
// Turns into a daemon: double fork, own session, other directory, no descriptors.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"

CALLED void serve(int round) { g_sink += (uint64_t)round; }

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  if (fork() != 0) return 0;
  setsid();
  if (fork() != 0) return 0;
  if (chdir("/") != 0) return 3;
  for (int fd = 0; fd < 1024; ++fd) close(fd);
  for (int i = 0; i < 100; ++i) {
    serve(i);
    usleep(2000);
  }
  const int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (write(fd, "served\n", 7) != 7) return 4;
  close(fd);
  return 0;
}
