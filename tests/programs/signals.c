// SPDX-License-Identifier: Apache-2.0
// signals TICKS [COUNTS]: a 1 kHz timer whose handler calls instrumented functions, first on the
// normal stack, then on an alternate one, while main calls without pause. How often depends on the
// machine, so the program writes its own counts to the file COUNTS: `name calls` lines.
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "program.h"

static volatile long g_ticks;
static volatile long g_mains;

CALLED static uint64_t handler_leaf(uint64_t x) { return x ^ g_sink; }

CALLED static void on_tick(int number) {
  ++g_ticks;
  g_sink = handler_leaf((uint64_t)number);
  g_sink = handler_leaf((uint64_t)number + 1);
}

CALLED static uint64_t main_leaf(uint64_t x) { return x + 1; }

CALLED static void main_work(void) {
  ++g_mains;
  g_sink += main_leaf(g_sink);
}

CALLED static void run_with(int flags, long until) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_tick;
  action.sa_flags = flags | SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  while (g_ticks < until) main_work();
  memset(&timer, 0, sizeof timer);
  setitimer(ITIMER_REAL, &timer, NULL);
}

int main(int argc, char** argv) {
  long ticks = argument_or(argc, argv, 1, 500);
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  sigaltstack(&stack, NULL);
  run_with(0, ticks);
  run_with(SA_ONSTACK, 2 * ticks);
  printf("done\n");
  if (argc > 2) {
    FILE* counts = fopen(argv[2], "w");
    if (!counts) return 1;
    fprintf(counts, "on_tick %ld\nhandler_leaf %ld\nmain_work %ld\nmain_leaf %ld\n", g_ticks,
            2 * g_ticks, g_mains, g_mains);
    fclose(counts);
  }
  return 0;
}
