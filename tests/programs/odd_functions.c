// SPDX-License-Identifier: Apache-2.0
// odd_functions ROUNDS: functions that never return, that were inlined, that have no prologue, that
// are entered behind it, and chains of jumps between functions instead of calls.
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static jmp_buf g_back;

CALLED uint64_t leaf(uint64_t x);
CALLED uint64_t leaf(uint64_t x) { return x + 1 + 0 * ++g_sink; }

__attribute__((always_inline)) static inline uint64_t inlined(uint64_t x) { return leaf(x) * 2; }
__attribute__((always_inline)) static inline uint64_t inlined_twice(uint64_t x) {
  return inlined(x) + inlined(x + 1);
}

CALLED __attribute__((noreturn)) static void jump_away(int depth) {
  leaf((uint64_t)depth);
  if (depth > 0) jump_away(depth - 1);
  longjmp(g_back, 1);
}

CALLED static int come_back(int depth) {
  if (setjmp(g_back) != 0) return 1;
  jump_away(depth);
}

CALLED __attribute__((noreturn)) static void end_thread(uint64_t x) {
  leaf(x);
  pthread_exit(NULL);
}

CALLED static void* in_thread(void* argument) { end_thread((uint64_t)(uintptr_t)argument); }

CALLED __attribute__((noreturn)) static void end_process(int status) {
  leaf((uint64_t)status);
  _exit(status);
}

// Three ways into leaf(): a jump instead of a call, a function without a prologue, and one that
// begins in the middle of another. Nothing of them has hooks.
uint64_t jump_to_leaf(uint64_t x);
uint64_t behind_prologue(uint64_t x);
__asm__(
    ".text\n"
    ".type jump_to_leaf, @function\n"
    "jump_to_leaf:\n"
    "  .cfi_startproc\n"
    "  addq $1, %rdi\n"
    "  jmp leaf@PLT\n"
    "  .cfi_endproc\n"
    ".size jump_to_leaf, .-jump_to_leaf\n"
    ".type whole, @function\n"
    "whole:\n"
    "  .cfi_startproc\n"
    "  xorl %edi, %edi\n"
    "behind_prologue:\n"
    "  subq $8, %rsp\n"
    "  .cfi_adjust_cfa_offset 8\n"
    "  call leaf@PLT\n"
    "  addq $8, %rsp\n"
    "  .cfi_adjust_cfa_offset -8\n"
    "  ret\n"
    "  .cfi_endproc\n"
    ".size whole, .-whole\n");

__attribute__((naked)) PLAIN uint64_t naked(uint64_t x);
__attribute__((naked)) PLAIN uint64_t naked(uint64_t x) {
  (void)x;
  __asm__("pushq %rdi\n call leaf@PLT\n addq $8, %rsp\n ret\n");
}

// Calls in the last place of functions without hooks are jumps: the caller's frame is gone.
PLAIN CALLED static uint64_t last_a(uint64_t n, uint64_t x);
PLAIN CALLED static uint64_t last_b(uint64_t n, uint64_t x) {
  return n ? last_a(n - 1, x + 2) : leaf(x);
}
PLAIN CALLED static uint64_t last_a(uint64_t n, uint64_t x) {
  return n ? last_b(n - 1, x + 1) : leaf(x);
}

static void run_children(long rounds) {
  for (long i = 0; i < rounds; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, (void*)(uintptr_t)i);
    pthread_join(thread, NULL);
  }
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) end_process(5);
  int status = 0;
  waitpid(child, &status, 0);
  printf("child %d\n", WEXITSTATUS(status));
}

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 100);
  uint64_t sum = 0;
  for (long i = 0; i < rounds; ++i) {
    sum += inlined_twice((uint64_t)i) + jump_to_leaf((uint64_t)i) + behind_prologue((uint64_t)i);
    sum += naked((uint64_t)i) + last_a((uint64_t)(i % 50), 1);
    sum += (uint64_t)come_back((int)(i % 30));
  }
  run_children(rounds / 10);
  printf("sum %llu\n", (unsigned long long)sum);
  return 0;
}
