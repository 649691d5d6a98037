// SPDX-License-Identifier: Apache-2.0
// terminal_job [catch]: reads lines from its terminal and says what it got. With `catch` it counts
// what terminals and shells send: interrupts, stops, continuations, changes of the window's size.
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

static volatile sig_atomic_t g_counts[65];

static void say(const char* text, int number) {
  char line[64];
  const int length = snprintf(line, sizeof line, text, number);
  if (write(1, line, (size_t)length) != length) _exit(9);
}

static void count(int number) {
  const int so_far = ++g_counts[number];
  say(number == SIGINT     ? "interrupt %d\n"
      : number == SIGWINCH ? "window %d\n"
      : number == SIGCONT  ? "continue %d\n"
                           : "other %d\n",
      so_far);
}

// As editors do: say so, then stop as asked.
static void stop(int number) {
  say("stop %d\n", ++g_counts[number]);
  signal(number, SIG_DFL);
  raise(number);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  signal(number, stop);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "catch") == 0) {
    const int numbers[] = {SIGINT, SIGWINCH, SIGCONT};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
      struct sigaction action;
      memset(&action, 0, sizeof action);
      action.sa_handler = count;
      action.sa_flags = SA_RESTART;
      sigaction(numbers[i], &action, NULL);
    }
    signal(SIGTSTP, stop);
  }
  say(tcgetpgrp(0) == getpgrp() ? "foreground %d\n" : "background %d\n", isatty(0));
  char line[128];
  for (;;) {
    const ssize_t got = read(0, line, sizeof line - 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? 5 : 6;
    line[got] = 0;
    if (strcmp(line, "quit\n") == 0) return 7;
    printf("got %s", line);
    fflush(stdout);
  }
}
