// SPDX-License-Identifier: Apache-2.0
// close_all_fds DIRECTORY: shows its open descriptors, closes everything in three ways, opens files
// that get the freed numbers and fills them, calling all the while: no foreign byte may appear.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

CALLED static void work(void) { ++g_sink; }

CALLED static void show_descriptors(const char* when) {
  DIR* directory = opendir("/proc/self/fd");
  int count = 0;
  struct dirent* entry;
  while ((entry = readdir(directory))) count += entry->d_name[0] != '.';
  closedir(directory);
  printf("%s: %d descriptors\n", when, count - 1);
}

CALLED static void fill_files(const char* directory, int round) {
  int fds[20];
  for (int i = 0; i < 20; ++i) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%d.%d", directory, round, i);
    fds[i] = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  }
  for (int line = 0; line < 200; ++line) {
    for (int i = 0; i < 20; ++i) {
      for (int j = 0; j < 10; ++j) work();
      if (dprintf(fds[i], "file %d line %d\n", i, line) < 0) exit(1);
    }
  }
  for (int i = 0; i < 20; ++i) close(fds[i]);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  show_descriptors("start");
  closefrom(3);
  fill_files(argv[1], 0);
  for (int fd = 3; fd < 1024; ++fd) close(fd);
  fill_files(argv[1], 1);
  for (int fd = 3; fd < 100; ++fd) dup2(1, fd);
  close_range(3, ~0u, 0);
  fill_files(argv[1], 2);
  show_descriptors("end");
  return 0;
}
