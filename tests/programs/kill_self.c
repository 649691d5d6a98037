// SPDX-License-Identifier: Apache-2.0
// kill_self SIGNAL CALLS: dies of SIGNAL three frames deep after CALLS returned calls.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "program.h"

CALLED static void returned(void) { ++g_sink; }

CALLED static void die(int number) {
  kill(getpid(), number);
  for (;;) pause();
}

CALLED static void below(int number) {
  die(number);
  ++g_sink;
}

int main(int argc, char** argv) {
  int number = (int)argument_or(argc, argv, 1, SIGKILL);
  long calls = argument_or(argc, argv, 2, 1000);
  printf("dying\n");
  fflush(stdout);
  for (long i = 0; i < calls; ++i) returned();
  below(number);
  return 0;
}
