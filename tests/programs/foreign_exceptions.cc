// SPDX-License-Identifier: Apache-2.0
// foreign_exceptions HOW ROUNDS: exceptions that pass frames of C (`c`), that no C++ program threw
// (`foreign`), that end where C cannot be unwound (`no_tables`) or in a foreign one that nobody
// catches (`uncaught`), and one across DEPTH frames in place of ROUNDS (`deep`).
#include <unwind.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "program.h"

// As another language's runtime would: no type, no object that C++ knows.
extern "C" long visit_with_tables(long depth, void (*visit)(void));
extern "C" long visit_without_tables(long depth, void (*visit)(void));

namespace {

constexpr _Unwind_Exception_Class kForeignClass = 0x4c414e4746524e00;  // "LANGFRN\0"

long g_thrown, g_caught, g_deleted, g_destroyed, g_compared;

struct Witness {
  CALLED Witness() { g_sink = g_sink + 1; }
  CALLED ~Witness() { ++g_destroyed; }
};

void forget(_Unwind_Reason_Code, _Unwind_Exception* exception) {
  ++g_deleted;
  std::free(exception);
}

CALLED void throw_foreign() {
  auto* exception = static_cast<_Unwind_Exception*>(std::calloc(1, sizeof(_Unwind_Exception)));
  exception->exception_class = kForeignClass;
  exception->exception_cleanup = forget;
  const _Unwind_Reason_Code why = _Unwind_RaiseException(exception);
  std::printf("nobody catches it: %d\n", static_cast<int>(why));
  std::fflush(stdout);
  std::terminate();
}

CALLED void throw_known() {
  ++g_thrown;
  throw std::runtime_error("from below C");
}

CALLED int compare(const void* one, const void* other) {
  if (++g_compared % 7 == 0) throw_known();
  return *static_cast<const int*>(one) - *static_cast<const int*>(other);
}

CALLED void sort_some() {
  Witness witness;
  int numbers[16];
  for (int i = 0; i < 16; ++i) numbers[i] = i * 7 % 16;
  std::qsort(numbers, 16, sizeof(int), compare);  // libc is C that can be unwound
}

CALLED void pass_c(long round) {
  Witness witness;
  visit_with_tables(round % 20, throw_known);
}

void play_c(long rounds) {
  for (long round = 0; round < rounds; ++round) {
    try {
      round % 2 ? pass_c(round) : sort_some();
    } catch (const std::exception& error) {
      g_caught += std::strcmp(error.what(), "from below C") == 0;
    }
  }
}

CALLED void pass_on() {
  Witness witness;
  try {
    throw_foreign();
  } catch (const std::exception&) {
    std::abort();  // it is none
  } catch (...) {
    if (std::current_exception() != nullptr) std::abort();
    ++g_caught;
    throw;
  }
}

// Its own exceptions come in between: before, while it is caught, and after.
CALLED void catch_foreign() {
  try {
    pass_on();
  } catch (...) {
    ++g_caught;
    try {
      throw_known();
    } catch (const std::runtime_error&) {
      ++g_caught;
    }
  }
}

CALLED long descend(long depth) {
  Witness witness;
  if (depth <= 1) throw_known();
  const long below = descend(depth - 1);
  g_sink = g_sink + 1;
  return below;
}

void play_deep(long depth) {
  for (int round = 0; round < 5; ++round) {
    try {
      g_sink = static_cast<uint64_t>(descend(depth));
    } catch (const std::runtime_error&) {
      ++g_caught;
    }
  }
}

void play(const char* how, long rounds) {
  const auto is = [how](const char* name) { return std::strcmp(how, name) == 0; };
  if (is("c")) play_c(rounds);
  if (is("deep")) play_deep(rounds);
  if (is("foreign")) {
    for (long round = 0; round < rounds; ++round) catch_foreign();
  }
  if (is("uncaught")) throw_foreign();
  if (is("no_tables")) {
    try {
      visit_without_tables(3, throw_known);
    } catch (...) {
      std::puts("caught");
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  play(argc > 1 ? argv[1] : "", argument_or(argc, argv, 2, 100));
  std::printf("thrown %ld, caught %ld, deleted %ld, destroyed %ld\n", g_thrown, g_caught, g_deleted,
              g_destroyed);
  return 0;
}
