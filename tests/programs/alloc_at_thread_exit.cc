// SPDX-License-Identifier: Apache-2.0
// Allocates and frees while threads end: destructors of thread-specific data that set it anew for
// four rounds, destructors of thread_local objects, which throw (and catch) as well.
// Prints: allocations and frees that all this did. Arguments: threads; how many at once, 1 or 2.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "program.h"

extern "C" int __cxa_thread_atexit(void (*)(void*), void*, void*) noexcept;
extern "C" void* __dso_handle;

namespace {

std::atomic<unsigned long> g_allocations, g_frees;
pthread_key_t g_keys[3];

CALLED char* get(std::size_t bytes) {
  ++g_allocations;
  return static_cast<char*>(std::malloc(bytes));
}

CALLED void give_back(void* block) {
  ++g_frees;
  std::free(block);
}

struct Value {
  int round;
  int key;
};

void destroy(void* pointer) {
  auto* value = static_cast<Value*>(pointer);
  const Value old = *value;
  give_back(value);
  give_back(get(200));
  if (old.round == 4) return;
  auto* next = reinterpret_cast<Value*>(get(sizeof(Value)));
  *next = {old.round + 1, old.key};
  if (pthread_setspecific(g_keys[old.key], next) != 0) std::abort();
}

struct Local {
  ~Local() {
    give_back(block);
    try {
      throw 1;
    } catch (int) {
      give_back(get(300));
    }
    if (write(2, "", 0) != 0) std::abort();
  }
  char* block = get(77);
};
thread_local Local t_local;

void at_exit(void* block) {
  give_back(block);
  give_back(get(11));
}

void* work(void*) {
  t_local.block[0] = 1;
  for (int key = 0; key < 3; ++key) {
    auto* value = reinterpret_cast<Value*>(get(sizeof(Value)));
    *value = {1, key};
    if (pthread_setspecific(g_keys[key], value) != 0) std::abort();
  }
  if (__cxa_thread_atexit(at_exit, get(33), &__dso_handle) != 0) std::abort();
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  for (auto& key : g_keys) {
    if (pthread_key_create(&key, destroy) != 0) return 1;
  }
  const long threads = argument_or(argc, argv, 1, 20);
  const long at_once = argument_or(argc, argv, 2, 2);
  for (long i = 0; i < threads; i += at_once) {
    pthread_t running[2];
    for (long k = 0; k < at_once; ++k) {
      if (pthread_create(&running[k], nullptr, work, nullptr) != 0) return 1;
    }
    for (long k = 0; k < at_once; ++k) pthread_join(running[k], nullptr);
  }
  std::printf("%lu %lu\n", g_allocations.load(), g_frees.load());
  return 0;
}
