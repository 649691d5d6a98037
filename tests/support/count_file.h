// SPDX-License-Identifier: Apache-2.0
// count_file.h - where the counting libraries leave their counts: one file for each process, in the
// folder that a variable names.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT_FILE_PLAIN __attribute__((no_instrument_function, unused))

// .preinit_array runs before libc knows the environment: then the kernel's copy is read.
COUNT_FILE_PLAIN static const char* output_folder(const char* variable) {
  static char text[1 << 16];
  const size_t length = strlen(variable);
  if (environ) return getenv(variable);
  int fd = open("/proc/self/environ", O_RDONLY | O_CLOEXEC);
  ssize_t bytes = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  for (ssize_t at = 0; at < bytes; at += (ssize_t)strlen(text + at) + 1) {
    if (strncmp(text + at, variable, length) == 0 && text[at + (ssize_t)length] == '=') {
      return text + at + length + 1;
    }
  }
  return NULL;
}

// A new DIR/<pid>.<n>.<suffix> of so many zero bytes, mapped shared: it outlives any death. Null:
// the variable is not set, or the folder is gone.
COUNT_FILE_PLAIN static void* open_count_file(const char* variable, const char* suffix,
                                              size_t bytes) {
  const char* folder = output_folder(variable);
  if (!folder) return NULL;
  char path[4096];
  int fd = -1;
  for (int n = 0; n < 100000 && fd < 0; ++n) {
    snprintf(path, sizeof path, "%s/%ld.%d.%s", folder, syscall(SYS_getpid), n, suffix);
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) return NULL;
  }
  if (fd < 0 || ftruncate(fd, (off_t)bytes) != 0) abort();
  void* file = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (file == MAP_FAILED) abort();
  return file;
}
