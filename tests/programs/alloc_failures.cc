// SPDX-License-Identifier: Apache-2.0
// Allocates in many ways and says what it could not get; what is not caught ends it.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "program.h"

namespace {

int g_failures;

void* got(const char* what, void* block) {
  if (!block) {
    std::fprintf(stderr, "no memory for %s: %s\n", what, std::strerror(errno));
    ++g_failures;
  }
  return block;
}

CALLED void in_c() {
  void* block = got("malloc", std::malloc(100));
  if (void* moved = got("realloc", std::realloc(block, 300))) block = moved;
  std::free(got("calloc", std::calloc(5, 50)));
  void* aligned = nullptr;
  const int result = posix_memalign(&aligned, 64, 100);
  if (result != 0) std::fprintf(stderr, "posix_memalign: %d\n", result);
  std::free(aligned);
  std::free(got("strdup", strdup("some text")));
  std::free(got("nothrow", ::operator new(10, std::nothrow)));
  std::free(block);
}

CALLED void in_cxx() {
  try {
    std::map<int, std::string> map;
    for (int i = 0; i < 4; ++i) map[i] = std::string(50, 'm');
    auto wide = std::make_unique<std::vector<double>>(100);
    std::fprintf(stderr, "map of %zu, %zu numbers\n", map.size(), wide->size());
  } catch (const std::bad_alloc& error) {
    std::fprintf(stderr, "caught %s\n", error.what());
    ++g_failures;
  }
}

CALLED void in_a_file() {
  std::FILE* file = std::fopen("/dev/null", "w");
  if (!file) {
    std::fprintf(stderr, "fopen: %s\n", std::strerror(errno));
    ++g_failures;
    return;
  }
  for (int i = 0; i < 10; ++i) std::fprintf(file, "%d\n", i);
  std::fclose(file);
}

CALLED void uncaught() {
  std::string text(100, 'u');  // when this fails, nobody catches
  g_sink = text.size();
}

}  // namespace

int main() {
  in_c();
  in_cxx();
  in_a_file();
  std::thread thread([] { std::fprintf(stderr, "a thread\n"); });
  thread.join();
  uncaught();
  std::printf("%d failures\n", g_failures);
  return g_failures ? 3 : 0;
}
