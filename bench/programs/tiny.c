// SPDX-License-Identifier: Apache-2.0
// tiny.c - nothing but calls: naive fib(n). The worst case for any tracer of calls.
//
// usage: tiny [n]     (default 34: about 18 million calls)
#include <stdio.h>
#include <stdlib.h>

#include "self_timing.h"

static __attribute__((noinline, noclone)) long fib(long n) {
  return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

int main(int argc, char** argv) {
  long n = argc > 1 ? atol(argv[1]) : 34;
  bench_begin();
  long result = fib(n);
  bench_end();
  printf("fib(%ld) = %ld\n", n, result);
  return 0;
}
