// SPDX-License-Identifier: Apache-2.0
// close_all_fds DIRECTORY: shows its open descriptors, closes everything in every way there is,
// opens files that get the freed numbers and fills them, calling all the while: no foreign byte may
// appear. Last, a thread takes a descriptor table of its own, where the same number is another
// file.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
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
  for (int line = 0; line < 100; ++line) {
    for (int i = 0; i < 20; ++i) {
      for (int j = 0; j < 10; ++j) work();
      if (dprintf(fds[i], "file %d line %d\n", i, line) < 0) exit(1);
    }
  }
  for (int i = 0; i < 20; ++i) close(fds[i]);
}

// Every number, so that whoever hides one has lost it.
CALLED static void take_all_numbers(int end) {
  for (int fd = 3; fd < end; ++fd) {
    if (dup2(1, fd) != fd) exit(3);
  }
}

static int open_named(const char* directory, const char* name) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  return open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

CALLED static void write_lines(int fd, const char* text) {
  for (int line = 0; line < 100; ++line) {
    work();
    if (write(fd, text, 10) != 10) exit(4);
  }
}

static void* use_own_table(void* directory) {
  if (close_range(3, ~0u, CLOSE_RANGE_UNSHARE) != 0) return "not unshared";
  const int fd = open_named(directory, "of thread");
  write_lines(fd, "of thread\n");
  if (fork() == 0) {
    write_lines(fd, "and child\n");
    _exit(0);
  }
  wait(NULL);
  fill_files(directory, 5);
  return fd == 3 ? "same number" : "another number";
}

static void* use_copied_table(void* directory) {
  if (unshare(CLONE_FILES) != 0) return "not unshared";
  close(3);
  const int fd = open_named(directory, "of copy");
  write_lines(fd, "of copy..\n");
  return fd == 3 ? "same number" : "another number";
}

static const char* run(void* (*body)(void*), const char* directory) {
  pthread_t thread;
  void* result = NULL;
  pthread_create(&thread, NULL, body, (void*)directory);
  pthread_join(thread, &result);
  return result;
}

CALLED static void share_no_more(const char* directory) {
  const int fd = open_named(directory, "of main");
  write_lines(fd, "of main..\n");
  const char* of_own = run(use_own_table, directory);
  const char* of_copy = run(use_copied_table, directory);
  write_lines(fd, "and again\n");
  close(fd);
  printf("a table of its own: %s, a copied one: %s\n", of_own, of_copy);
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  show_descriptors("start");
  closefrom(3);
  fill_files(argv[1], 0);
  for (int fd = 3; fd <= 65535; ++fd) close(fd);
  fill_files(argv[1], 1);
  const int end = sysconf(_SC_OPEN_MAX) < 1024 ? (int)sysconf(_SC_OPEN_MAX) : 1024;
  take_all_numbers(end);
  close_range(3, ~0u, 0);
  fill_files(argv[1], 2);
  take_all_numbers(end);
  close_range(3, ~0u, CLOSE_RANGE_UNSHARE);
  fill_files(argv[1], 3);
  take_all_numbers(end);
  for (int fd = 3; fd < end; ++fd) close(fd);
  fill_files(argv[1], 4);
  share_no_more(argv[1]);
  show_descriptors("end");
  return 0;
}
