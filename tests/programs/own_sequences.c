// SPDX-License-Identifier: Apache-2.0
// own_sequences FILE CPU: cpu_time by a program with restartable sequences of its own, as allocators
// with caches for each CPU have: its thread's area names now theirs, now none.
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <sys/rseq.h>

// Adds 1 to `counter` unless interrupted; then from the start again.
__attribute__((no_instrument_function)) static void count_once(volatile uint64_t* counter) {
  if (__rseq_size == 0) return;
  struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
  __asm__ volatile(
      "5: leaq 1f(%%rip), %%rax\n"
      "movq %%rax, %0\n"
      "3: incq %1\n"
      "4:\n"
      ".pushsection .text.sequence, \"ax\"\n"
      ".long %c2\n"
      "2: jmp 5b\n"
      ".popsection\n"
      ".pushsection .data.rel.ro.sequence, \"aw\"\n"
      ".balign 32\n"
      "1: .long 0, 0\n"
      ".quad 3b, 4b - 3b, 2b\n"
      ".popsection"
      : "=m"(area->rseq_cs), "+m"(*counter)
      : "i"(RSEQ_SIG)
      : "rax", "memory", "cc");
}

static volatile uint64_t g_counted;

#define BETWEEN_BURSTS() count_once(&g_counted)
#include "cpu_time.c"
