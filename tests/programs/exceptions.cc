// SPDX-License-Identifier: Apache-2.0
// exceptions ROUNDS: throws across 1..50 frames, rethrows, and carries one to another thread.
#include <pthread.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "program.h"

namespace {

struct Guard {
  CALLED Guard() { g_sink = g_sink + 1; }
  CALLED ~Guard() { g_sink = g_sink + 1; }
};

CALLED int throw_at(int depth) {
  Guard guard;
  if (depth == 0) throw std::runtime_error("bottom");
  int result = throw_at(depth - 1);
  g_sink = g_sink + 1;
  return result;
}

CALLED int rethrow_from(int depth) {
  try {
    return throw_at(depth);
  } catch (const std::exception&) {
    g_sink = g_sink + 1;
    throw;
  }
}

CALLED int catch_all(int depth) {
  try {
    return rethrow_from(depth);
  } catch (...) {
    return 1;
  }
}

CALLED void swallow_int() {
  try {
    throw 42;
  } catch (int value) {
    g_sink = g_sink + static_cast<uint64_t>(value);
  }
}

CALLED int initial_value(int attempt) {
  if (attempt < 3) throw attempt;
  return attempt;
}

CALLED int guarded_static(int attempt) {
  static int value = initial_value(attempt);
  return value;
}

std::exception_ptr g_carried;

CALLED void* rethrow_in_thread(void*) {
  try {
    std::rethrow_exception(g_carried);
  } catch (const std::runtime_error& error) {
    std::printf("other thread caught: %s\n", error.what());
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  long rounds = argument_or(argc, argv, 1, 20);
  int caught = 0;
  for (long round = 0; round < rounds; ++round) {
    for (int depth = 0; depth < 50; ++depth) caught += catch_all(depth);
    swallow_int();
  }
  int attempts = 0;
  for (int attempt = 0; attempt < 5; ++attempt) {
    try {
      attempts += guarded_static(attempt);
    } catch (int) {
      attempts += 100;
    }
  }
  try {
    throw_at(5);
  } catch (...) {
    g_carried = std::current_exception();
  }
  pthread_t thread;
  pthread_create(&thread, nullptr, rethrow_in_thread, nullptr);
  pthread_join(thread, nullptr);
  std::printf("caught %d attempts %d\n", caught, attempts);
  return 0;
}
