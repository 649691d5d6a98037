// SPDX-License-Identifier: Apache-2.0
// At a fixed address, where malloc's and free's addresses are places of the program's own, which jump
// to whoever defines them. Takes 1000 blocks by them.
#include <stdlib.h>

#include "program.h"

int main(void) {
  void* (*volatile take)(size_t) = malloc;
  void (*volatile give)(void*) = free;
  for (int i = 0; i < 1000; ++i) give(take(100));
  return 0;
}
