// SPDX-License-Identifier: Apache-2.0
// vector_registers MILLISECONDS [room]: threads on stacks of PTHREAD_STACK_MIN keep all vector and
// mask registers full of values of their own while they spin, and compare them. With `room` it also
// says, on standard error, how much of a stack was never touched.
#define _GNU_SOURCE
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

enum { kThreads = 4, kStackBytes = 16384, kSpins = 200000, kUntouched = 0x5a };

// 32 registers of 64 bytes, or 16 of 32, and 7 mask registers.
struct Registers {
  unsigned char vectors[32][64];
  uint64_t masks[8];
};

struct Job {
  struct Registers expected, found;
  unsigned char* stack;
  long rounds;
  long wrong;
};

static int g_wide;
static uint64_t g_end_ns;

#define EACH_8(DO, a) DO(a##0) DO(a##1) DO(a##2) DO(a##3) DO(a##4) DO(a##5) DO(a##6) DO(a##7)
#define EACH_16(DO) EACH_8(DO, ) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define EACH_32(DO)                                                                     \
  EACH_16(DO) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23) DO(24) DO(25) DO(26) \
      DO(27) DO(28) DO(29) DO(30) DO(31)
#define EACH_MASK(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7)

#define SPIN "1: dec %%rax\n jnz 1b\n"
#define LOAD_WIDE(n) "vmovdqu64 " #n "*64(%0), %%zmm" #n "\n"
#define STORE_WIDE(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%1)\n"
#define LOAD_MASK(n) "kmovw 2048+" #n "*8(%0), %%k" #n "\n"
#define STORE_MASK(n) "kmovw %%k" #n ", 2048+" #n "*8(%1)\n"
#define LOAD(n) "vmovdqu " #n "*64(%0), %%ymm" #n "\n"
#define STORE(n) "vmovdqu %%ymm" #n ", " #n "*64(%1)\n"

CALLED static void spin_wide(const struct Registers* from, struct Registers* to) {
  __asm__ volatile(EACH_32(LOAD_WIDE) EACH_MASK(LOAD_MASK) "mov %2, %%rax\n" SPIN EACH_32(STORE_WIDE)
                       EACH_MASK(STORE_MASK) "vzeroupper\n"
                   :
                   : "r"(from), "r"(to), "r"((long)kSpins)
                   : "rax", "memory", "cc");
}

CALLED static void spin_narrow(const struct Registers* from, struct Registers* to) {
  __asm__ volatile(EACH_16(LOAD) "mov %2, %%rax\n" SPIN EACH_16(STORE) "vzeroupper\n"
                   :
                   : "r"(from), "r"(to), "r"((long)kSpins)
                   : "rax", "memory", "cc");
}

static void* keep_registers(void* argument) {
  struct Job* job = argument;
  // However long others had the processor, each works.
  while (job->rounds < 2 || clock_ns(CLOCK_MONOTONIC) < g_end_ns) {
    if (g_wide) {
      spin_wide(&job->expected, &job->found);
    } else {
      spin_narrow(&job->expected, &job->found);
    }
    job->wrong += memcmp(&job->expected, &job->found, sizeof job->found) != 0;
    ++job->rounds;
  }
  return NULL;
}

static void fill(struct Registers* registers, unsigned seed) {
  const int vectors = g_wide ? 32 : 16;
  const int bytes = g_wide ? 64 : 32;
  for (int v = 0; v < vectors; ++v) {
    for (int b = 0; b < bytes; ++b) {
      seed = seed * 1103515245 + 12345;
      registers->vectors[v][b] = (unsigned char)(seed >> 16);
    }
  }
  for (int m = 1; g_wide && m < 8; ++m) {
    seed = seed * 1103515245 + 12345;
    registers->masks[m] = seed >> 16;
  }
}

// Half of the threads have the stack that libc gives, half have this one, below which nothing is.
static int give_stack(pthread_attr_t* attributes, struct Job* job) {
  unsigned char* area = mmap(NULL, 2 * kStackBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) return 1;
  job->stack = area + kStackBytes;
  if (mprotect(job->stack, kStackBytes, PROT_READ | PROT_WRITE) != 0) return 1;
  memset(job->stack, kUntouched, kStackBytes);
  return pthread_attr_setstack(attributes, job->stack, kStackBytes);
}

static int untouched(const struct Job* job) {
  int bytes = 0;
  while (bytes < kStackBytes && job->stack[bytes] == kUntouched) ++bytes;
  return bytes;
}

int main(int argc, char** argv) {
  static struct Job jobs[kThreads];
  __builtin_cpu_init();
  g_wide = __builtin_cpu_supports("avx512f");
  if (!g_wide && !__builtin_cpu_supports("avx")) return 77;
  g_end_ns = clock_ns(CLOCK_MONOTONIC) + (uint64_t)argument_or(argc, argv, 1, 1000) * 1000000u;
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    fill(&jobs[i].expected, (unsigned)i + 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    const int failed = i % 2 ? give_stack(&attributes, &jobs[i])
                             : pthread_attr_setstacksize(&attributes, kStackBytes);
    if (failed || pthread_create(&threads[i], &attributes, keep_registers, &jobs[i]) != 0) return 1;
    pthread_attr_destroy(&attributes);
  }
  long wrong = 0;
  int worked = 1;
  int room = kStackBytes;
  for (int i = 0; i < kThreads; ++i) {
    pthread_join(threads[i], NULL);
    wrong += jobs[i].wrong;
    worked &= jobs[i].rounds > 1;
    if (jobs[i].stack && untouched(&jobs[i]) < room) room = untouched(&jobs[i]);
  }
  printf("%s registers, all threads worked %d, changed %ld\n", g_wide ? "512-bit" : "256-bit", worked,
         wrong);
  if (argc > 2) fprintf(stderr, "%d\n", room);
  return wrong != 0;
}
