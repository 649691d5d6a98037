// SPDX-License-Identifier: Apache-2.0
// Overflows its stack again and again; its own handler on an alternate stack jumps out.
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static sigjmp_buf back;
static char* volatile g_null;

static void handler(int number) { siglongjmp(back, number); }

CALLED static int overflow(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return overflow(depth + 1) + frame[0];
}

int main(void) {
  static char alternate[16384];
  const stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&stack, NULL);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &action, NULL);
  int recovered = 0;
  for (int i = 0; i < 20; ++i) {
    if (sigsetjmp(back, 1) == 0) {
      g_sink += (uint64_t)overflow(0);
    } else {
      recovered += 1;
    }
    if (sigsetjmp(back, 1) == 0) {
      *g_null = 1;
    } else {
      recovered += 1;
    }
  }
  struct sigaction seen;
  sigaction(SIGSEGV, NULL, &seen);
  printf("%d %d\n", recovered, seen.sa_handler == handler);
  return recovered == 40 ? 0 : 1;
}
