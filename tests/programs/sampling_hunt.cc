// SPDX-License-Identifier: Apache-2.0
// sampling_hunt WHAT MILLISECONDS [PLUGIN]: does one thing in a tight loop from two threads, for
// samplers to interrupt: load, throw, thread, fork, malloc.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "program.h"

namespace {

const char* g_plugin;
uint64_t g_end_ns;
void (*g_step)();

CALLED void load() {
  void* plugin = dlopen(g_plugin, RTLD_NOW | RTLD_LOCAL);
  if (!plugin) std::abort();
  dlclose(plugin);
}

CALLED void fail(int depth) {
  if (depth == 0) throw std::runtime_error("hunted");
  fail(depth - 1);
  g_sink = g_sink + 1;
}

CALLED void throw_one() {
  try {
    fail(static_cast<int>(g_sink % 20));
  } catch (const std::exception& error) {
    g_sink = g_sink + std::strlen(error.what());
  }
}

void* do_nothing(void*) { return nullptr; }

CALLED void make_thread() {
  pthread_t thread;
  if (pthread_create(&thread, nullptr, do_nothing, nullptr) == 0) pthread_join(thread, nullptr);
}

CALLED void make_child() {
  const pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < 10000; ++i) g_sink = g_sink * 3 + 1;
    _exit(0);
  }
  if (child > 0) waitpid(child, nullptr, 0);
}

CALLED void allocate() {
  std::string text(64 + g_sink % 10000, 'x');
  g_sink = g_sink + text.size();
}

void* hunt(void*) {
  while (clock_ns(CLOCK_MONOTONIC) < g_end_ns) {
    for (int i = 0; i < 10; ++i) g_step();
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const struct {
    const char* name;
    void (*step)();
  } steps[] = {{"load", load},
               {"throw", throw_one},
               {"thread", make_thread},
               {"fork", make_child},
               {"malloc", allocate}};
  for (const auto& known : steps) {
    if (argc > 2 && std::strcmp(argv[1], known.name) == 0) g_step = known.step;
  }
  if (!g_step) return 2;
  g_plugin = argc > 3 ? argv[3] : "";
  g_end_ns = clock_ns(CLOCK_MONOTONIC) + static_cast<uint64_t>(std::atol(argv[2])) * 1000000;
  pthread_t other;
  pthread_create(&other, nullptr, hunt, nullptr);
  hunt(nullptr);
  pthread_join(other, nullptr);
  std::printf("alive\n");
  return 0;
}
