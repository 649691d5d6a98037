// SPDX-License-Identifier: Apache-2.0
// Forks while other threads allocate, throw, lock and read; the children do so, too.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

std::mutex g_lock;
std::atomic<bool> g_stop;

int throw_and_catch(int depth) {
  try {
    if (depth == 0) throw std::runtime_error("deep " + std::to_string(depth));
    return throw_and_catch(depth - 1);
  } catch (const std::runtime_error& error) {
    if (depth < 3) throw;
    return static_cast<int>(std::string(error.what()).size());
  }
}

void churn() {
  while (!g_stop) {
    const std::lock_guard hold(g_lock);
    throw_and_catch(5);
    free(malloc(1000));
    usleep(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int forks = argc > 1 ? std::atoi(argv[1]) : 100;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) threads.emplace_back(churn);
  int good = 0;
  for (int i = 0; i < forks; ++i) {
    const pid_t pid = fork();
    if (pid == 0) {
      const bool right = throw_and_catch(4) == 6 && malloc(100) != nullptr;
      usleep(1);
      _exit(right ? 7 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    good += WIFEXITED(status) && WEXITSTATUS(status) == 7 ? 1 : 0;
  }
  g_stop = true;
  for (std::thread& thread : threads) thread.join();
  std::printf("%d of %d\n", good, forks);
  return good == forks ? 0 : 1;
}
