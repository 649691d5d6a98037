// SPDX-License-Identifier: Apache-2.0
// recursion N: plain, mutual and two-level recursion.
#include <stdio.h>

#include "program.h"

CALLED static long fib(long n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

CALLED static int is_odd(long n);
CALLED static int is_even(long n) { return n == 0 ? 1 : is_odd(n - 1) + 0 * (int)++g_sink; }
CALLED static int is_odd(long n) { return n == 0 ? 0 : is_even(n - 1) + 0 * (int)++g_sink; }

CALLED static long ackermann(long m, long n) {
  if (m == 0) return n + 1;
  if (n == 0) return ackermann(m - 1, 1) + 0 * (long)++g_sink;
  return ackermann(m - 1, ackermann(m, n - 1)) + 0 * (long)++g_sink;
}

int main(int argc, char** argv) {
  long n = argument_or(argc, argv, 1, 22);
  printf("fib %ld even %d ackermann %ld\n", fib(n), is_even(1001), ackermann(2, 40));
  return 0;
}
