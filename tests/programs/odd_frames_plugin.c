// SPDX-License-Identifier: Apache-2.0
// A plugin for odd_frames.c, whose unwinding tables a test damages.
#include <stdint.h>

void work_below(void);
void call_with(uint64_t rbp);

__attribute__((noinline)) static int pass(volatile char* memory, int depth) {
  volatile char frame[100];
  frame[depth] = memory[0];
  if (depth == 0) {
    work_below();
  } else {
    pass(frame, depth - 1);
  }
  return frame[depth];
}

void call_with(uint64_t rbp) {
  volatile char frame[2000];
  frame[rbp % 2000] = (char)rbp;
  pass(frame, (int)(rbp % 5));
}
