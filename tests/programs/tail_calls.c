// SPDX-License-Identifier: Apache-2.0
// tail_calls: calls that the optimizer turns into jumps where it can, and hooks called unpaired, as
// hand-written assembly or a compiler's mistake would.
#include <stdio.h>

#include "program.h"

void __cyg_profile_func_enter(void* function, void* call_site);
void __cyg_profile_func_exit(void* function, void* call_site);

CALLED static uint64_t finish(uint64_t x) { return x + 1; }
CALLED static uint64_t forward(uint64_t x) { return finish(x * 2); }
CALLED static uint64_t bounce_b(uint64_t n, uint64_t x);
CALLED static uint64_t bounce_a(uint64_t n, uint64_t x) { return n ? bounce_b(n - 1, x + 1) : x; }
CALLED static uint64_t bounce_b(uint64_t n, uint64_t x) { return n ? bounce_a(n - 1, x + 2) : x; }

CALLED static void never_left(void) { ++g_sink; }

CALLED static void unpaired(int i) {
  if (i % 3 == 0) __cyg_profile_func_enter((void*)never_left, (void*)unpaired);
  if (i % 3 == 1) __cyg_profile_func_exit((void*)never_left, (void*)unpaired);
  if (i % 3 == 2) {
    __cyg_profile_func_exit((void*)never_left, (void*)unpaired);
    __cyg_profile_func_exit((void*)never_left, (void*)unpaired);
  }
  never_left();
}

int main(void) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < 1000; ++i) sum += forward(i) + bounce_a(i % 50, i);
  for (int i = 0; i < 300; ++i) unpaired(i);
  printf("sum %llu\n", (unsigned long long)sum);
  return 0;
}
