// SPDX-License-Identifier: Apache-2.0
// constructors: instrumented calls before main, in an early constructor and a global object, and
// after main, in atexit handlers, destructors and the destructor of a static local.
#include <cstdio>
#include <cstdlib>

#include "program.h"

namespace {

CALLED void early_work() { g_sink = g_sink + 1; }
CALLED void late_work() { g_sink = g_sink + 1; }

__attribute__((constructor(101))) CALLED void first_constructor() {
  for (int i = 0; i < 5; ++i) early_work();
}

__attribute__((destructor(101))) CALLED void last_destructor() {
  for (int i = 0; i < 6; ++i) late_work();
}

struct Global {
  CALLED Global() { early_work(); }
  CALLED ~Global() { late_work(); }
};

Global g_global;

CALLED Global& static_local() {
  static Global local;
  return local;
}

CALLED void at_exit() { late_work(); }

CALLED void preinit() { early_work(); }

}  // namespace

__attribute__((section(".preinit_array"), used)) static void (*g_preinit)() = preinit;

int main() {
  std::atexit(at_exit);
  static_local();
  std::puts("main");
  return 0;
}
