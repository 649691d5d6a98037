// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <vector>

int quiet_function(int x);
extern "C" int plain_c_function(int x);

__attribute__((noinline)) int unwanted_function(int x) { return x + 1; }

__attribute__((noinline)) int wanted_function(int x) {
  std::vector<int> numbers(3, x);  // of a system header: not instrumented
  return numbers.at(1) + unwanted_function(x) + quiet_function(x) + plain_c_function(x);
}

int main() {
  int sum = 0;
  for (int i = 0; i < 1000; ++i) sum += wanted_function(i);
  std::printf("%d\n", sum);
}
