// SPDX-License-Identifier: Apache-2.0
// operator new and delete in all their forms. Prints: allocations bytes frees
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <new>

#include "program.h"

namespace {

std::uint64_t g_allocations, g_bytes, g_frees;

void* checked(void* block, std::size_t bytes, std::size_t alignment = 8) {
  if (!block || reinterpret_cast<std::uintptr_t>(block) % alignment != 0) std::abort();
  ++g_allocations;
  g_bytes += bytes;
  ++g_frees;  // everyone is freed
  return block;
}

CALLED void plain(std::size_t bytes) {
  ::operator delete(checked(::operator new(bytes), bytes));
  ::operator delete[](checked(::operator new[](bytes), bytes));
  ::operator delete(checked(::operator new(bytes), bytes), bytes);
  ::operator delete[](checked(::operator new[](bytes), bytes), bytes);
}

CALLED void nothrow(std::size_t bytes) {
  ::operator delete(checked(::operator new(bytes, std::nothrow), bytes), std::nothrow);
  ::operator delete[](checked(::operator new[](bytes, std::nothrow), bytes), std::nothrow);
}

CALLED void aligned(std::size_t bytes, std::size_t alignment) {
  const auto align = std::align_val_t(alignment);
  ::operator delete(checked(::operator new(bytes, align), bytes, alignment), align);
  ::operator delete[](checked(::operator new[](bytes, align), bytes, alignment), align);
  ::operator delete(checked(::operator new(bytes, align), bytes, alignment), bytes, align);
  ::operator delete[](checked(::operator new[](bytes, align), bytes, alignment), bytes, align);
}

CALLED void aligned_nothrow(std::size_t bytes, std::size_t alignment) {
  const auto align = std::align_val_t(alignment);
  ::operator delete(checked(::operator new(bytes, align, std::nothrow), bytes, alignment), align,
                    std::nothrow);
  ::operator delete[](checked(::operator new[](bytes, align, std::nothrow), bytes, alignment),
                      align, std::nothrow);
}

struct alignas(128) Wide {
  char bytes[256];
};
struct WithDestructor {
  ~WithDestructor() { g_sink = g_sink + 1; }
  long value = 1;
};

// Array of n things with destructors: a count of 8 bytes stands before them.
CALLED void of_types() {
  auto* wide = static_cast<Wide*>(checked(new Wide, sizeof(Wide), 128));
  delete wide;
  auto* many = static_cast<Wide*>(checked(new Wide[3], 3 * sizeof(Wide), 128));
  delete[] many;
  auto* things = new WithDestructor[5];
  checked(things - 1, 5 * sizeof(WithDestructor) + 8);
  delete[] things;
  delete static_cast<int*>(nullptr);  // counts as nothing
}

CALLED void beyond() {
  bool thrown = false;
  try {
    g_sink = reinterpret_cast<std::uintptr_t>(::operator new(std::size_t(1) << 62));
  } catch (const std::bad_alloc&) {
    thrown = true;
  }
  if (!thrown || ::operator new(std::size_t(1) << 62, std::nothrow) != nullptr) std::abort();
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IONBF, 0);
  for (long round = argument_or(argc, argv, 1, 100); round > 0; --round) {
    for (const std::size_t bytes : {0, 1, 24, 100, 5000}) {
      plain(bytes);
      nothrow(bytes);
      for (const std::size_t alignment : {32, 64, 4096}) {
        aligned(bytes, alignment);
        aligned_nothrow(bytes, alignment);
      }
    }
    of_types();
  }
  if (argc > 2) beyond();  // exceptions have memory of their own
  char text[100];
  const int length =
      std::snprintf(text, sizeof text, "%lu %lu %lu\n", g_allocations, g_bytes, g_frees);
  return std::fwrite(text, static_cast<std::size_t>(length), 1, stdout) == 1 ? 0 : 1;
}
