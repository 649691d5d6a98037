// SPDX-License-Identifier: Apache-2.0
// exception_ends HOW: exceptions that nobody catches, and how each ends the program.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

#include "program.h"

namespace {

CALLED void fail() {
  if (g_sink == 0) throw std::runtime_error("nobody wants me");
}

struct FailsAtEnd {
  ~FailsAtEnd() noexcept(false) { fail(); }
};

CALLED void promise() noexcept {
  fail();
  g_sink = g_sink + 1;
}

CALLED void fail_twice() {
  FailsAtEnd second;
  fail();
}

void say_and_leave() {
  std::fprintf(stderr, "terminate handler, %s\n",
               std::current_exception() ? "an exception" : "no exception");
  std::_Exit(7);
}

int run(const char* how) {
  const auto is = [how](const char* name) { return std::strcmp(how, name) == 0; };
  if (is("uncaught")) fail();
  if (is("noexcept")) promise();
  if (is("destructor")) {
    try {
      fail_twice();
    } catch (const std::exception&) {
    }
  }
  if (is("thread")) std::thread(fail).join();
  if (is("terminate")) std::terminate();
  if (is("handler")) {
    std::set_terminate(say_and_leave);
    fail();
  }
  if (is("rethrow")) {
    try {
      fail();
    } catch (...) {
      throw;
    }
  }
  if (is("nothing")) throw;
  if (is("int")) throw 42;
  if (is("exit")) {
    try {
      fail();
    } catch (...) {
      std::exit(9);
    }
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) { return run(argc > 1 ? argv[1] : ""); }
