// SPDX-License-Identifier: Apache-2.0
// Executes a copy of itself that has no file: a memfd, then a deleted file.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static void copy_self(int to) {
  const int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  struct stat info;
  fstat(from, &info);
  off_t at = 0;
  while (at < info.st_size && sendfile(to, from, &at, (size_t)(info.st_size - at)) > 0) {
  }
  close(from);
}

int main(int argc, char** argv) {
  extern char** environ;
  if (argc > 1) {
    printf("%s\n", argv[1]);
    return strcmp(argv[1], "memfd") == 0 ? 3 : 4;
  }
  int status = 0;
  if (fork() == 0) {
    const int fd = memfd_create("image", MFD_CLOEXEC);
    copy_self(fd);
    fexecve(fd, (char*[]){argv[0], "memfd", NULL}, environ);
    _exit(1);
  }
  wait(&status);
  printf("%d\n", WEXITSTATUS(status));
  fflush(stdout);
  if (fork() == 0) {
    char path[] = "/tmp/spyglass-deleted-XXXXXX";
    const int fd = mkstemp(path);
    copy_self(fd);
    fchmod(fd, 0700);
    close(fd);
    const int again = open(path, O_RDONLY);
    unlink(path);
    fexecve(again, (char*[]){argv[0], "deleted", NULL}, environ);
    _exit(1);
  }
  wait(&status);
  printf("%d\n", WEXITSTATUS(status));
  return 0;
}
