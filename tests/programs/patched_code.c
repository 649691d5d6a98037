// SPDX-License-Identifier: Apache-2.0
// patched_code ROUNDS [traps]: rewrites the first bytes of a function, which are NOPs, to a jump
// and back, as tracers and live patches do, while another thread works; with `traps` to int3, whose
// SIGTRAP it handles itself. Says how often it got where.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

enum { kPatchBytes = 5, kCallsPerRound = 20, kWork = 2000 };

static volatile sig_atomic_t g_stop;
static volatile sig_atomic_t g_traps;
static long g_original, g_replacement;

static uint64_t churn(uint64_t value) {
  for (int i = 0; i < kWork; ++i) {
    value = value * 3 + 1;
    __asm__ volatile("" : "+r"(value));
  }
  return value;
}

CALLED __attribute__((patchable_function_entry(kPatchBytes))) uint64_t patched(uint64_t value) {
  ++g_original;
  return churn(value);
}

CALLED uint64_t replacement(uint64_t value) {
  ++g_replacement;
  return churn(value) + 1;
}

static void* work_beside(void* unused) {
  uint64_t value = 1;
  while (!g_stop) value = churn(value);
  g_sink = value;
  return unused;
}

static int make_writable(unsigned char* code, int how) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const uintptr_t first = (uintptr_t)code & ~(page - 1);
  const uintptr_t end = ((uintptr_t)code + kPatchBytes + page - 1) & ~(page - 1);
  return mprotect((void*)first, end - first, how);
}

static int patch(unsigned char* code, const unsigned char* bytes) {
  if (make_writable(code, PROT_READ | PROT_WRITE | PROT_EXEC) != 0) return 1;
  memcpy(code, bytes, kPatchBytes);
  return make_writable(code, PROT_READ | PROT_EXEC);
}

// The trap stands where the first NOP was: going on behind it is all there is to do.
static void count_trap(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)info;
  (void)context;
  ++g_traps;
}

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 200);
  unsigned char* code = NULL;
  uint64_t (*entry)(uint64_t) = patched;
  memcpy(&code, &entry, sizeof code);
  // Behind the ENDBR64 of compilers that write one.
  static const unsigned char kEndbr[] = {0xf3, 0x0f, 0x1e, 0xfa};
  if (memcmp(code, kEndbr, sizeof kEndbr) == 0) code += sizeof kEndbr;
  unsigned char original[kPatchBytes];
  unsigned char changed[kPatchBytes];
  memcpy(original, code, kPatchBytes);
  memcpy(changed, code, kPatchBytes);
  if (argc > 2 && strcmp(argv[2], "traps") == 0) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = count_trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, NULL);
    changed[0] = 0xcc;
  } else {
    unsigned char* target = NULL;
    uint64_t (*other)(uint64_t) = replacement;
    memcpy(&target, &other, sizeof target);
    const int32_t distance = (int32_t)(target - (code + kPatchBytes));
    changed[0] = 0xe9;
    memcpy(changed + 1, &distance, sizeof distance);
  }
  pthread_t thread;
  if (pthread_create(&thread, NULL, work_beside, NULL) != 0) return 1;
  uint64_t value = 1;
  for (long round = 0; round < rounds; ++round) {
    if (patch(code, round % 2 ? changed : original) != 0) return 2;
    for (int i = 0; i < kCallsPerRound; ++i) value = entry(value);
  }
  g_stop = 1;
  pthread_join(thread, NULL);
  printf("original %ld, replacement %ld, traps %d, value %llx\n", g_original, g_replacement,
         (int)g_traps, (unsigned long long)value);
  return 0;
}
