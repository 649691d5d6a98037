// SPDX-License-Identifier: Apache-2.0
// Runs for a while with registers that no unwinder can trust: rbp garbage, the stack pointer in the
// heap, a return address of 0, a wild return address, a stack whose next page is not readable.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

// Spins `count` times with the given stack pointer and rbp, calling nothing.
static void spin_with(void* sp, uint64_t rbp, uint64_t count) {
  __asm__ volatile(
      "movq %%rsp, %%r12\n\t"
      "movq %%rbp, %%r13\n\t"
      "movq %0, %%rsp\n\t"
      "movq %1, %%rbp\n\t"
      "1: decq %2\n\t"
      "jnz 1b\n\t"
      "movq %%r13, %%rbp\n\t"
      "movq %%r12, %%rsp\n\t"
      : "+r"(sp), "+r"(rbp), "+r"(count)
      :
      : "r12", "r13", "memory", "cc");
}

int main(int argc, char** argv) {
  const uint64_t count = (uint64_t)argument_or(argc, argv, 1, 40000000);
  char* heap = malloc(65536);
  char* pages = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(pages + 8192, 8192, PROT_NONE);
  memset(heap, 0xab, 65536);
  memset(pages, 0, 8192);
  spin_with(heap + 32768, 0x4141414141414141, count);
  spin_with(heap + 32768, (uint64_t)(heap + 40000), count);
  spin_with(pages + 4096, (uint64_t)(pages + 8184), count);
  spin_with(pages + 8184, 0, count);
  memset(heap, 0, 65536);
  spin_with(heap + 32768, (uint64_t)(heap + 32768), count);
  spin_with(heap + 32769, 1, count);
  puts("whole");
  return 0;
}
