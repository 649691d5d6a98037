// SPDX-License-Identifier: Apache-2.0
// jit_code SPINS [nameless]: burns its CPU time in code that it writes at run time, which keeps a
// frame pointer and is named in /tmp/perf-PID.map, as just-in-time compilers do; nameless: is not.
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

// push %rbp; mov %rsp,%rbp; again: dec %rdi; jnz again; pop %rbp; ret
static const unsigned char kLoop[] = {0x55, 0x48, 0x89, 0xe5, 0x48, 0xff,
                                      0xcf, 0x75, 0xfb, 0x5d, 0xc3};
// push %rbp; mov %rsp,%rbp; call *%rsi; pop %rbp; ret
static const unsigned char kCaller[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd6, 0x5d, 0xc3};

typedef void (*Loop)(long);
typedef void (*Caller)(long, Loop);

CALLED static void wait_a_little(long microseconds) {
  usleep((useconds_t)microseconds);
  g_sink = 1;
}

CALLED static void run(Caller caller, Loop loop, long spins) {
  caller(spins, loop);
  caller(20000, wait_a_little);
  g_sink = (uint64_t)spins;
}

int main(int argc, char** argv) {
  unsigned char* code =
      mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, kLoop, sizeof kLoop);
  memcpy(code + 64, kCaller, sizeof kCaller);
  mprotect(code, 4096, PROT_READ | PROT_EXEC);
  char path[64];
  snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
  FILE* map = fopen(path, "w");
  fprintf(map, "%lx %zx JS:*made_loop here.js:7:1\n%lx %zx made_caller\n", (unsigned long)code, sizeof kLoop,
          (unsigned long)(code + 64), sizeof kCaller);
  fclose(map);
  if (argc > 2) unlink(path);
  Loop loop = NULL;
  Caller caller = NULL;
  memcpy(&loop, &code, sizeof loop);
  unsigned char* second = code + 64;
  memcpy(&caller, &second, sizeof caller);
  run(caller, loop, argument_or(argc, argv, 1, 400000000));
  printf("%s\n", path);
  return 0;
}
