// SPDX-License-Identifier: Apache-2.0
// exception_storm ROUNDS THREADS: each round throws 4 exceptions of its own, one of them from a
// destructor that runs while another is in flight, rethrows one and carries one by exception_ptr.
#include <cstdio>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "program.h"

namespace {

struct Untidy {
  ~Untidy() {
    try {
      throw 1;
    } catch (int value) {
      g_sink = g_sink + static_cast<uint64_t>(value);
    }
  }
};

// Locks in what(): hooks inside of hooks, and nothing that the program did.
struct Talkative : std::exception {
  mutable std::mutex mutex;
  mutable std::string text;
  Talkative() = default;
  Talkative(const Talkative& other) : std::exception(other) {}
  const char* what() const noexcept override {
    std::lock_guard<std::mutex> guard(mutex);
    try {
      throw 2.5;
    } catch (double) {
      text = "talkative";
    }
    return text.c_str();
  }
};

CALLED void fail_below_untidy(int depth) {
  if (depth == 0) throw std::runtime_error("in flight");
  Untidy untidy;
  fail_below_untidy(depth - 1);
  g_sink = g_sink + 1;
}

CALLED void fail_again() {
  try {
    throw std::out_of_range("twice");
  } catch (const std::logic_error&) {
    g_sink = g_sink + 1;
    throw;
  }
}

CALLED void talk() { throw Talkative(); }

CALLED void carry() {
  std::exception_ptr carried = std::make_exception_ptr(std::domain_error("carried"));
  std::rethrow_exception(carried);
}

template <typename Function>
CALLED int caught(Function function) {
  try {
    function();
  } catch (const std::exception&) {
    return 1;
  }
  return 0;
}

void storm(long rounds, long& total) {
  for (long round = 0; round < rounds; ++round) {
    total += caught([] { fail_below_untidy(1); });
    total += caught(fail_again);
    total += caught(talk);
    total += caught(carry);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 1000);
  const long count = argument_or(argc, argv, 2, 4);
  std::vector<long> totals(static_cast<size_t>(count));
  std::vector<std::thread> threads;
  for (long& total : totals) threads.emplace_back([&total, rounds] { storm(rounds, total); });
  for (std::thread& thread : threads) thread.join();
  long all = 0;
  for (long total : totals) all += total;
  std::printf("caught %ld\n", all);
  return 0;
}
