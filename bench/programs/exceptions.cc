// SPDX-License-Identifier: Apache-2.0
// Throws and catches across some frames; prints "name nanoseconds" lines: the cost of one round.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

namespace {

double now_ns() {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

volatile unsigned long g_sink;

[[gnu::noinline]] void throw_from(int depth) {
  if (depth == 0) throw std::runtime_error("measured");
  throw_from(depth - 1);
  g_sink = g_sink + 1;
}

[[gnu::noinline]] void catch_across(int depth) {
  try {
    throw_from(depth);
  } catch (const std::exception&) {
    g_sink = g_sink + 1;
  }
}

void throw_int() {
  try {
    throw 1;
  } catch (int value) {
    g_sink = g_sink + static_cast<unsigned long>(value);
  }
}

double cost_of(void (*body)(), long rounds) {
  double best_ns = 1e18;
  for (int part = 0; part < 10; ++part) {
    const double begin = now_ns();
    for (long i = 0; i < rounds / 10; ++i) body();
    const double ns = (now_ns() - begin) / static_cast<double>(rounds / 10);
    best_ns = ns < best_ns ? ns : best_ns;
  }
  return best_ns;
}

}  // namespace

int main(int argc, char** argv) {
  const double scale = argc > 1 ? std::atof(argv[1]) : 1;
  const struct {
    const char* name;
    void (*body)();
    double rounds;
  } loops[] = {{"throw_int", throw_int, 2e5},
               {"throw_1_frame", [] { catch_across(0); }, 2e5},
               {"throw_10_frames", [] { catch_across(9); }, 5e4},
               {"throw_100_frames", [] { catch_across(99); }, 5e3}};
  for (const auto& loop : loops) {
    std::printf("%s %.1f\n", loop.name, cost_of(loop.body, static_cast<long>(loop.rounds * scale)));
  }
  return 0;
}
