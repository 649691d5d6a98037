// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/made_code.h"

#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdint>

#include "symbols/perf_map.h"

namespace {

using spyglass::collector::MadeCode;
using spyglass::collector::NodeInterner;

std::uint64_t number(const void* address) { return reinterpret_cast<std::uint64_t>(address); }

void* map_page(int access) {
  void* page = ::mmap(nullptr, 4096, access, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  return page;
}

TEST_CASE("made code is what a process may execute of no file", "[collector]") {
  void* const code_page = map_page(PROT_READ | PROT_EXEC);
  void* const data_page = map_page(PROT_READ | PROT_WRITE);
  const std::uint64_t code = number(code_page);
  const auto pid = static_cast<std::uint32_t>(::getpid());
  NodeInterner nodes;
  MadeCode made(nodes);
  CHECK(made.module_of(1, pid, 0) == 0);
  CHECK(made.module_of(1, 0, code) == 0);
  const std::uint32_t module = made.module_of(1, pid, code + 100);
  REQUIRE(module != 0);
  CHECK(nodes.modules()[module - 1].path == spyglass::perf_map_path(pid));
  CHECK(made.module_of(1, pid, code) == module);
  CHECK(made.module_of(1, pid, code + 4096 + 4096 * 4096) == 0);
  CHECK(made.module_of(1, pid, number(data_page)) == 0);
  CHECK(made.module_of(1, pid, number(reinterpret_cast<const void*>(&map_page))) ==
        0);  // of a file
  ::munmap(code_page, 4096);
  ::munmap(data_page, 4096);
}

TEST_CASE("a process that is gone made no code, unless it left names", "[collector]") {
  constexpr std::uint32_t kNobody = 0x7ffffff0;
  NodeInterner nodes;
  MadeCode made(nodes);
  CHECK(made.module_of(1, kNobody, 0x10000) == 0);
}

}  // namespace
