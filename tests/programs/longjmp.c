// SPDX-License-Identifier: Apache-2.0
// longjmp ROUNDS [FRAMES JUMPS]: jumps over 1..FRAMES (100) frames, JUMPS (10000) times into the
// same frame, and out of signal handlers on both kinds of stack.
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

static jmp_buf g_target;
static sigjmp_buf g_signal_target;

CALLED static void descend(int depth) {
  if (depth == 0) longjmp(g_target, 1);
  descend(depth - 1);
  ++g_sink;
}

CALLED static int jump_over(int frames) {
  if (setjmp(g_target)) return 1;
  descend(frames);
  return 0;
}

CALLED static void leaf(void) { ++g_sink; }

CALLED static void same_frame(volatile long rounds) {
  volatile long jumps = 0;
  setjmp(g_target);
  leaf();
  if (++jumps < rounds) descend(3);
}

CALLED static void on_signal(int number) {
  leaf();
  siglongjmp(g_signal_target, number);
}

CALLED static void raise_inside(int depth) {
  if (depth == 0)
    raise(SIGUSR1);
  else
    raise_inside(depth - 1);
  ++g_sink;
}

CALLED static int jump_out_of_handler(int depth) {
  if (sigsetjmp(g_signal_target, 1)) return 1;
  raise_inside(depth);
  return 0;
}

CALLED static void install(int flags) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  action.sa_flags = flags;
  sigaction(SIGUSR1, &action, NULL);
}

int main(int argc, char** argv) {
  long rounds = argument_or(argc, argv, 1, 50);
  long jumped = 0;
  for (long i = 0; i < rounds; ++i) {
    for (int frames = 0; frames < argument_or(argc, argv, 2, 100); ++frames) {
      jumped += jump_over(frames);
    }
  }
  same_frame(argument_or(argc, argv, 3, 10000));
  stack_t stack = {.ss_sp = malloc(1 << 16), .ss_size = 1 << 16};
  sigaltstack(&stack, NULL);
  install(0);
  for (int i = 0; i < 100; ++i) jumped += jump_out_of_handler(i % 10);
  install(SA_ONSTACK);
  for (int i = 0; i < 100; ++i) jumped += jump_out_of_handler(i % 10);
  leaf();
  printf("jumped %ld\n", jumped);
  return 0;
}
