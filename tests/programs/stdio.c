// SPDX-License-Identifier: Apache-2.0
// stdio: copies stdin to stdout, mixes in stderr, forks with unflushed data and prints its
// environment's names that start with LD_, so that a change of what a program sees shows.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

CALLED static int next_byte(void) { return getchar(); }

int main(void) {
  int byte;
  long bytes = 0;
  while ((byte = next_byte()) != EOF) {
    putchar(byte);
    if (++bytes % 1000 == 0) fprintf(stderr, "%ld bytes\n", bytes);
  }
  printf("unflushed ");
  pid_t pid = fork();
  if (pid == 0) exit(0);  // Flushes the copy that it inherited.
  waitpid(pid, NULL, 0);
  printf("isatty %d %d %d\n", isatty(0), isatty(1), isatty(2));
  return 0;
}
