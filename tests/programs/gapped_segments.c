// SPDX-License-Identifier: Apache-2.0
// A program with gaps between its segments, which the kernel leaves unmapped: glibc then knows it
// segment by segment, and none but one holds its unwinding tables.
#include <stdlib.h>

__attribute__((noinline)) static int descend(int depth, volatile char* memory) {
  if (depth == 0) {
    char* volatile block = malloc(16);  // not optimized away
    const int found = block != NULL;
    free(block);
    return found;
  }
  volatile char locals[48];
  locals[depth % 48] = memory[0];
  return descend(depth - 1, locals) + locals[0] % 2;
}

int main(void) {
  volatile char memory[1] = {2};
  int found = 0;
  for (int i = 0; i < 2000; ++i) {
    found += descend(i % 20, memory);
  }
  return found == 0;
}
