// SPDX-License-Identifier: Apache-2.0
// static_binary: linked with -static, so nothing can be put into it.
#include <stdio.h>

#include "program.h"

CALLED static void work(void) { ++g_sink; }

int main(void) {
  for (int i = 0; i < 10; ++i) work();
  printf("static\n");
  return 9;
}
