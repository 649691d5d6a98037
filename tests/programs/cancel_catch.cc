// SPDX-License-Identifier: Apache-2.0
// cancel_catch ROUNDS: cancellation and pthread_exit unwind through catch (...), destructors and
// exceptions that are caught meanwhile.
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include "program.h"

namespace {

volatile long g_destroyed;
volatile long g_seen;

struct Witness {
  ~Witness() {
    try {
      throw std::runtime_error("while unwinding");
    } catch (const std::exception&) {
      __atomic_fetch_add(&g_destroyed, 1, __ATOMIC_RELAXED);
    }
  }
};

void* wait_for_end(void* leave) {
  try {
    Witness witness;
    if (leave) pthread_exit(nullptr);
    for (;;) pause();
  } catch (...) {
    __atomic_fetch_add(&g_seen, 1, __ATOMIC_RELAXED);
    throw;  // as it must be
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const long rounds = argument_or(argc, argv, 1, 50);
  for (long round = 0; round < rounds; ++round) {
    pthread_t thread;
    const bool leave = round % 2 == 1;
    pthread_create(&thread, nullptr, wait_for_end, leave ? &thread : nullptr);
    if (!leave) pthread_cancel(thread);
    pthread_join(thread, nullptr);
  }
  std::printf("destroyed %ld seen %ld\n", static_cast<long>(g_destroyed),
              static_cast<long>(g_seen));
  return 0;
}
