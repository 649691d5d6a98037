// SPDX-License-Identifier: Apache-2.0
// thread_exit: instrumented calls in the last moments of a thread: thread_local destructors and
// four rounds of key destructors; many threads end at once.
#include <pthread.h>

#include <atomic>
#include <cstdio>

#include "program.h"

namespace {

pthread_key_t g_key;
std::atomic<int> g_key_destructions{0};
std::atomic<int> g_local_destructions{0};

CALLED void last_words() { g_sink = g_sink + 1; }

struct Local {
  uint64_t value = 0;
  CALLED ~Local() {
    last_words();
    ++g_local_destructions;
  }
};

thread_local Local t_local;

CALLED void destroy_key(void* value) {
  last_words();
  ++g_key_destructions;
  auto rounds = reinterpret_cast<intptr_t>(value);
  if (rounds > 1) pthread_setspecific(g_key, reinterpret_cast<void*>(rounds - 1));
}

CALLED void* body(void*) {
  t_local.value = 1;
  pthread_setspecific(g_key, reinterpret_cast<void*>(4));
  last_words();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  long rounds = argument_or(argc, argv, 1, 50);
  pthread_key_create(&g_key, destroy_key);
  for (long round = 0; round < rounds; ++round) {
    pthread_t threads[16];
    for (auto& thread : threads) pthread_create(&thread, nullptr, body, nullptr);
    for (auto& thread : threads) pthread_join(thread, nullptr);
  }
  std::printf("key %d local %d\n", g_key_destructions.load(), g_local_destructions.load());
  return 0;
}
