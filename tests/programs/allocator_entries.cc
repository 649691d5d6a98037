// SPDX-License-Identifier: Apache-2.0
// Every way to get memory from libc and the C++ runtime, with nothing, too much and odd alignments.
// Prints what each answered: aligned or not, usable size enough, errno. With "limit", under a limit
// of the address space, where small and large requests fail.
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <string>

#include "program.h"

namespace {

constexpr std::size_t kAlignments[] = {0, 1, 3, 8, 16, 64, 4096, 65536, std::size_t(1) << 62};
// Volatile, lest gcc knows better than to ask.
volatile std::size_t g_huge = PTRDIFF_MAX;
volatile std::size_t g_sizes[] = {0, 1, 1000, 200000, PTRDIFF_MAX, SIZE_MAX, SIZE_MAX - 4095};

void say(const char* format, ...) {
  char text[300];
  va_list arguments;
  va_start(arguments, format);
  const int length = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (write(1, text, static_cast<std::size_t>(length)) != length) std::abort();
}

// What came of it, without its address.
void tell(const char* function, std::size_t bytes, std::size_t alignment, void* block,
          int errno_after) {
  const auto address = reinterpret_cast<std::uintptr_t>(block);
  const bool enough = block && malloc_usable_size(block) >= bytes;
  if (enough && bytes) std::memset(block, 0x5A, bytes);
  say("%s(%zu) at %zu: %s %s errno %d\n", function, bytes, alignment, block ? "memory" : "null",
      !block                                              ? "-"
      : !enough                                           ? "short"
      : alignment && address % alignment && alignment % 3 ? "askew"
                                                          : "good",
      errno_after);
}

template <typename Function>
void* attempt(const char* name, std::size_t bytes, std::size_t alignment, Function function) {
  errno = 4321;
  void* block = function();
  tell(name, bytes, alignment, block, errno);
  return block;
}

CALLED void malloc_family() {
  for (const std::size_t bytes : g_sizes) {
    free(attempt("malloc", bytes, 16, [=] { return malloc(bytes); }));
    free(attempt("calloc", bytes, 16, [=] { return calloc(1, bytes); }));
    free(attempt("calloc of 7", bytes, 16, [=] { return calloc(7, bytes); }));
    free(attempt("realloc of null", bytes, 16, [=] { return realloc(nullptr, bytes); }));
    free(attempt("reallocarray of null", bytes, 16,
                 [=] { return reallocarray(nullptr, 3, bytes); }));
    free(attempt("valloc", bytes, 4096, [=] { return valloc(bytes); }));
    free(attempt("pvalloc", bytes, 4096, [=] { return pvalloc(bytes); }));
    void* old = malloc(50);
    void* moved = attempt("realloc", bytes, 16, [=] { return realloc(old, bytes); });
    free(moved || bytes == 0 ? moved : old);
    old = malloc(60);
    moved = attempt("reallocarray", bytes, 16, [=] { return reallocarray(old, 2, bytes); });
    free(moved || bytes == 0 ? moved : old);
  }
  errno = 77;
  free(nullptr);
  say("free(null): errno %d, usable %zu\n", errno, malloc_usable_size(nullptr));
}

CALLED void aligned_family() {
  for (const std::size_t alignment : kAlignments) {
    for (const std::size_t bytes : {std::size_t(0), std::size_t(100), std::size_t(g_huge)}) {
      free(attempt("memalign", bytes, alignment, [=] { return memalign(alignment, bytes); }));
      free(attempt("aligned_alloc", bytes, alignment,
                   [=] { return aligned_alloc(alignment, bytes); }));
      void* block = &block;
      errno = 4321;
      const int result = posix_memalign(&block, alignment, bytes);
      say("posix_memalign(%zu) at %zu: %d %s errno %d\n", bytes, alignment, result,
          block == &block ? "untouched" : "memory", errno);
      if (result == 0) free(block);
    }
  }
}

template <typename Allocate>
void* or_thrown(const char* name, std::size_t bytes, std::size_t alignment, Allocate allocate) {
  try {
    return attempt(name, bytes, alignment, allocate);
  } catch (const std::bad_alloc& error) {
    say("%s(%zu) at %zu: %s\n", name, bytes, alignment, error.what());
    return nullptr;
  }
}

CALLED void operators() {
  for (const std::size_t bytes : g_sizes) {
    ::operator delete(or_thrown("new", bytes, 16, [=] { return ::operator new(bytes); }));
    ::operator delete[](or_thrown("new[]", bytes, 16, [=] { return ::operator new[](bytes); }));
    ::operator delete(
        or_thrown("new nothrow", bytes, 16, [=] { return ::operator new(bytes, std::nothrow); }),
        std::nothrow);
    ::operator delete[](or_thrown("new[] nothrow", bytes, 16,
                                  [=] { return ::operator new[](bytes, std::nothrow); }),
                        std::nothrow);
    ::operator delete(or_thrown("new sized", bytes, 16, [=] { return ::operator new(bytes); }),
                      bytes);
    ::operator delete[](
        or_thrown("new[] sized", bytes, 16, [=] { return ::operator new[](bytes); }), bytes);
    for (const std::size_t at : {std::size_t(32), std::size_t(4096)}) {
      const auto align = std::align_val_t(at);
      ::operator delete(
          or_thrown("new aligned", bytes, at, [=] { return ::operator new(bytes, align); }), align);
      ::operator delete[](
          or_thrown("new[] aligned", bytes, at, [=] { return ::operator new[](bytes, align); }),
          bytes, align);
      ::operator delete(or_thrown("new aligned nothrow", bytes, at,
                                  [=] { return ::operator new(bytes, align, std::nothrow); }),
                        align, std::nothrow);
      ::operator delete[](or_thrown("new[] aligned nothrow", bytes, at,
                                    [=] { return ::operator new[](bytes, align, std::nothrow); }),
                          align, std::nothrow);
    }
  }
}

int g_handler_calls;

CALLED void new_handler_runs() {
  std::set_new_handler([] {
    if (++g_handler_calls == 3) std::set_new_handler(nullptr);
  });
  or_thrown("new with a handler", g_huge, 16, [] { return ::operator new(g_huge); });
  say("the handler ran %d times\n", g_handler_calls);
}

// What libc allocates for the program, which the program frees.
CALLED void inside_libc() {
  char* copy = strdup("a string");
  char* part = strndup("a string", 3);
  char* printed = nullptr;
  const int length = asprintf(&printed, "%s and %s", copy, part);
  say("strdup %s strndup %s asprintf %d\n", copy, part, length);
  char* text = nullptr;
  std::size_t size = 0;
  FILE* memory = open_memstream(&text, &size);
  for (int i = 0; i < 1000; ++i) std::fprintf(memory, "line %d\n", i);
  std::fclose(memory);
  say("open_memstream %zu\n", size);
  FILE* lines = fmemopen(text, size, "r");
  char* line = nullptr;
  std::size_t room = 0, count = 0;
  while (getline(&line, &room, lines) > 0) ++count;
  std::fclose(lines);
  say("getline %zu\n", count);
  char* folder = realpath("/", nullptr);
  char* current = getcwd(nullptr, 0);
  say("realpath %s getcwd %s\n", folder, current ? "there" : "null");
  for (char* block : {copy, part, printed, text, line, folder, current}) free(block);
}

CALLED void under_a_limit() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  std::size_t pages = 0;
  if (!file || std::fscanf(file, "%zu", &pages) != 1) std::abort();
  std::fclose(file);
  const rlimit limit = {pages * 4096 + (64u << 20), RLIM_INFINITY};
  if (setrlimit(RLIMIT_AS, &limit) != 0) std::abort();
  for (const std::size_t bytes : {std::size_t(1000), std::size_t(1) << 28}) {
    free(attempt("malloc", bytes, 16, [=] { return malloc(bytes); }));
    free(attempt("calloc", bytes, 16, [=] { return calloc(1, bytes); }));
    free(attempt("memalign", bytes, 64, [=] { return memalign(64, bytes); }));
    ::operator delete(or_thrown("new", bytes, 16, [=] { return ::operator new(bytes); }));
    ::operator delete(
        or_thrown("nothrow new", bytes, 16, [=] { return ::operator new(bytes, std::nothrow); }));
    void* old = malloc(10);
    void* moved = attempt("realloc", bytes, 16, [=] { return realloc(old, bytes); });
    free(moved ? moved : old);
  }
  for (const std::size_t bytes : {std::size_t(100000), std::size_t(500)}) {
    void* list = nullptr;
    std::size_t count = 0;
    errno = 0;
    for (void** block; (block = static_cast<void**>(malloc(bytes))) != nullptr; ++count) {
      *block = list;
      list = block;
    }
    say("%zu at a time: %s, errno %d\n", bytes, count * bytes > (32u << 20) ? "much" : "little",
        errno);
    while (list) {
      void* next = *static_cast<void**>(list);
      free(list);
      list = next;
    }
  }
  void* again = malloc(100000);
  say("and again: %s\n", again ? "memory" : "null");
  free(again);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "limit") == 0) {
    under_a_limit();
    return 0;
  }
  malloc_family();
  aligned_family();
  operators();
  new_handler_runs();
  inside_libc();
  return 0;
}
