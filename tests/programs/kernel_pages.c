// SPDX-License-Identifier: Apache-2.0
// kernel_pages CALLS: burns its CPU time in code that the kernel maps into every process: the vDSO,
// then the older page at a fixed address, if that is there and may be executed.
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static void ask_clock(long calls) {
  struct timespec now;
  for (long i = 0; i < calls; ++i) clock_gettime(CLOCK_MONOTONIC, &now);
  g_sink += (uint64_t)now.tv_nsec;
}

CALLED static void ask_old_page(long calls) {
  time_t (*old_time)(time_t*) = NULL;
  const uintptr_t place = 0xffffffffff600400;
  memcpy(&old_time, &place, sizeof old_time);
  for (long i = 0; i < calls; ++i) g_sink += (uint64_t)old_time(NULL);
}

int main(int argc, char** argv) {
  const long calls = argument_or(argc, argv, 1, 4000000);
  ask_clock(calls);
  const pid_t child = fork();
  if (child == 0) {
    ask_old_page(calls / 20);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("old page: %s\n", WIFEXITED(status) ? "there" : "not there");
  return 0;
}
