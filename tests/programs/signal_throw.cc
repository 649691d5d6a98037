// SPDX-License-Identifier: Apache-2.0
// signal_throw ROUNDS: a handler of SIGSEGV throws out of the faulting instruction, on the normal
// and on an alternate stack (-fnon-call-exceptions).
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "program.h"

namespace {

void on_fault(int) { throw std::runtime_error("fault"); }

CALLED int read_from(volatile int* place) { return *place; }

CALLED int fault() {
  try {
    return read_from(nullptr);
  } catch (const std::runtime_error&) {
    return 1;
  }
}

long run(int flags, long rounds) {
  struct sigaction action = {};
  action.sa_handler = on_fault;
  action.sa_flags = SA_NODEFER | flags;
  sigaction(SIGSEGV, &action, nullptr);
  long faults = 0;
  for (long round = 0; round < rounds; ++round) faults += fault();
  return faults;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 100);
  stack_t stack = {};
  stack.ss_sp = std::malloc(1 << 16);
  stack.ss_size = 1 << 16;
  sigaltstack(&stack, nullptr);
  const long normal = run(0, rounds);
  std::printf("%ld and %ld faults\n", normal, run(SA_ONSTACK, rounds));
  return 0;
}
