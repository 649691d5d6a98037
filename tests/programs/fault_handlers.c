// SPDX-License-Identifier: Apache-2.0
// fault_handlers ROUNDS [room]: faults that a program lives from, as language runtimes do: reads
// through null that are continued elsewhere, a page that is closed to stop threads, a stack that
// grows by its guard. All are handled on the smallest alternate stack that the kernel takes, plus
// BYTES below which nothing is, and the handlers write. Says how often each came.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "program.h"

enum { kPage = 4096, kGuardedPages = 64, kThreads = 2 };

static volatile char* g_poll_page;
static char* g_guarded;  // its lower pages are opened one by one
static volatile long g_nulls, g_polls, g_growths, g_others;
static int g_null_file;

extern const char null_check_begin[], null_check_failed[];

// Returns 1 where `place` is null, as the handler finds.
PLAIN __attribute__((noinline)) static int read_checked(volatile int* place) {
  int failed = 0;
  __asm__ volatile(
      ".globl null_check_begin\n.globl null_check_failed\n"
      "null_check_begin:\n movl (%1), %%eax\n jmp 1f\n"
      "null_check_failed:\n movl $1, %0\n"
      "1:\n"
      : "+r"(failed)
      : "r"(place)
      : "rax", "memory");
  return failed;
}

static void note(void) {
  if (write(g_null_file, "x", 1) != 1) _exit(3);
}

static void on_fault(int number, siginfo_t* info, void* context) {
  (void)number;
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  char* at = info->si_addr;
  if (registers[REG_RIP] == (greg_t)null_check_begin) {
    registers[REG_RIP] = (greg_t)null_check_failed;
    __atomic_fetch_add(&g_nulls, 1, __ATOMIC_RELAXED);
  } else if (at == g_poll_page) {
    mprotect((void*)g_poll_page, kPage, PROT_READ);
    __atomic_fetch_add(&g_polls, 1, __ATOMIC_RELAXED);
  } else if (at >= g_guarded && at < g_guarded + kGuardedPages * kPage) {
    mprotect((char*)((uintptr_t)at & ~(uintptr_t)(kPage - 1)), kPage, PROT_READ | PROT_WRITE);
    __atomic_fetch_add(&g_growths, 1, __ATOMIC_RELAXED);
  } else {
    ++g_others;
    signal(SIGSEGV, SIG_DFL);
    return;
  }
  note();
}

static char* guarded_stack(size_t bytes) {
  const size_t whole = (bytes + kPage - 1) & ~(size_t)(kPage - 1);
  char* area = mmap(NULL, whole + kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED || mprotect(area + kPage, whole, PROT_READ | PROT_WRITE) != 0) return NULL;
  return area + kPage + whole - bytes;
}

static int use_smallest_stack(long more) {
  stack_t stack = {.ss_size = ((size_t)sysconf(_SC_MINSIGSTKSZ) + (size_t)more) & ~(size_t)15};
  stack.ss_sp = guarded_stack(stack.ss_size);
  return stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0;
}

static long g_more;

static void* poll_and_check(void* rounds) {
  if (use_smallest_stack(g_more) != 0) return rounds;
  long failed = 0;
  for (long i = 0; i < (long)(intptr_t)rounds; ++i) {
    int number = (int)i;
    failed += read_checked(i % 2 ? &number : NULL);
    g_sink += (uint64_t)*g_poll_page;
  }
  return failed == (long)(intptr_t)rounds / 2 ? NULL : rounds;
}

CALLED static int grow(int pages) {
  volatile char frame[kPage - 256];
  frame[0] = (char)pages;
  return pages > 1 ? grow(pages - 1) + frame[0] : frame[0];
}

static void* grow_all(void* unused) {
  if (use_smallest_stack(g_more) != 0) return &g_more;
  g_sink += (uint64_t)grow(kGuardedPages);
  return unused;
}

static int run_on(void* (*function)(void*), void* argument, pthread_attr_t* attributes, int count) {
  pthread_t threads[kThreads];
  int wrong = 0;
  for (int i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], attributes, function, argument) != 0) return 1;
  }
  for (int i = 0; i < count; ++i) {
    void* failed = NULL;
    pthread_join(threads[i], &failed);
    wrong |= failed != NULL;
  }
  return wrong;
}

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 10000);
  g_more = argument_or(argc, argv, 2, 2048);
  FILE* null = fopen("/dev/null", "w");
  g_null_file = fileno(null);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigaction(SIGSEGV, &action, NULL);
  g_poll_page = mmap(NULL, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int wrong = run_on(poll_and_check, (void*)(intptr_t)rounds, NULL, kThreads);
  // A thread that is stopped at its next look.
  for (int i = 0; i < 100; ++i) {
    mprotect((void*)g_poll_page, kPage, PROT_NONE);
    wrong |= use_smallest_stack(g_more);
    g_sink += (uint64_t)*g_poll_page;
  }
  const size_t bytes = (kGuardedPages + 16) * (size_t)kPage;
  g_guarded = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, g_guarded, bytes);
  mprotect(g_guarded, kGuardedPages * kPage, PROT_NONE);
  wrong |= run_on(grow_all, NULL, &attributes, 1);
  printf("nulls %ld, polls %ld, growths %ld, others %ld, wrong %d\n", g_nulls, g_polls, g_growths,
         g_others, wrong);
  return wrong;
}
