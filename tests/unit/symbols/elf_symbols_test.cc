// SPDX-License-Identifier: Apache-2.0
#include "symbols/elf_symbols.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace {

using spyglass::ElfSymbols;
using spyglass::FunctionRange;
using spyglass::format::FrameInfo;

// Line numbers count from the first character after the delimiter.
constexpr const char* kSource = R"(extern "C" int sink(int);
static inline __attribute__((always_inline)) int inlined(int x) {
  return sink(x) + 1;
}
extern "C" __attribute__((noinline)) int outer(int x) {
  return inlined(x) * 3;
}
namespace space {
struct Shape {
  __attribute__((noinline)) int area(int x);
};
int Shape::area(int x) {
  return sink(x) + 7;
}
}
extern "C" int __outer_alias(int) __attribute__((alias("outer")));
extern "C" int weak_alias(int) __attribute__((weak, alias("outer")));
extern "C" __attribute__((noinline)) int sink(int x) {
  asm volatile("" : "+r"(x));
  return x;
}
extern "C" { long g_pair[2]; }
int use(space::Shape& shape) { return shape.area(outer(1)); }
)";

class Fixture {
 public:
  Fixture() {
    char name[] = "/tmp/spyglass_symbols_XXXXXX";
    folder_ = mkdtemp(name);
    std::ofstream(folder_ + "/fixture.cc") << kSource;
    run("c++ -g -O2 -fno-ipa-icf -shared -fPIC -Wl,--build-id -o lib.so fixture.cc");
  }
  ~Fixture() { std::filesystem::remove_all(folder_); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  void run(const std::string& command) {
    INFO(command);
    REQUIRE(std::system(("cd " + folder_ + " && " + command).c_str()) == 0);
  }
  std::string path(const std::string& name = "lib.so") const { return folder_ + "/" + name; }

 private:
  std::string folder_;
};

std::uint64_t start_of(ElfSymbols& symbols, const std::string& name) {
  for (const FunctionRange& function : symbols.functions()) {
    if (function.name == name) {
      return function.start;
    }
  }
  FAIL("no function " << name);
  return 0;
}

bool ends_with(const std::string& text, const std::string& tail) {
  return text.size() >= tail.size() &&
         text.compare(text.size() - tail.size(), tail.size(), tail) == 0;
}

void check_names_and_lines(ElfSymbols& symbols) {
  const std::optional<FrameInfo> outer = symbols.function_at(start_of(symbols, "outer"));
  REQUIRE(outer);
  CHECK(outer->function == "outer");  // neither of its aliases
  CHECK(ends_with(outer->file, "fixture.cc"));
  CHECK(outer->line == 5);  // not 3, the inlined function's

  const auto area = symbols.function_at(start_of(symbols, "_ZN5space5Shape4areaEi"));
  REQUIRE(area);
  CHECK(area->line == 12);  // the definition, not the declaration in the class
}

TEST_CASE("function_at gives symbol and declaration", "[symbols]") {
  Fixture fixture;
  auto symbols = ElfSymbols::open(fixture.path(), {});
  REQUIRE(symbols);
  check_names_and_lines(*symbols);

  const std::uint64_t outer = start_of(*symbols, "outer");
  CHECK(symbols->function_at(outer + 1)->function == "outer");
  CHECK_FALSE(symbols->function_at(0));
  CHECK_FALSE(symbols->function_at(~std::uint64_t{0}));
}

TEST_CASE("frames_at tells inlined functions", "[symbols]") {
  Fixture fixture;
  auto symbols = ElfSymbols::open(fixture.path(), {});
  REQUIRE(symbols);
  const std::uint64_t outer = start_of(*symbols, "outer");
  bool seen = false;
  for (std::uint64_t offset = outer; offset < outer + 64 && !seen; ++offset) {
    const std::vector<FrameInfo> frames = symbols->frames_at(offset);
    if (frames.size() != 2) {
      continue;
    }
    seen = true;
    CHECK(frames[0].function == "inlined");
    CHECK(frames[0].inlined);
    CHECK(frames[0].line == 2);
    CHECK(frames[0].at_line == 3);
    CHECK(frames[1].function == "outer");
    CHECK_FALSE(frames[1].inlined);
    CHECK(frames[1].line == 5);
    CHECK(frames[1].at_line == 6);
  }
  CHECK(seen);
}

TEST_CASE("variables have names too", "[symbols]") {
  Fixture fixture;
  auto symbols = ElfSymbols::open(fixture.path(), {});
  REQUIRE(symbols);
  std::uint64_t at = 0;
  while (at < 0x10000 && !symbols->variable_at(at)) {
    at += 8;
  }
  std::vector<std::string> names;
  for (; at < 0x10000; at += 8) {
    if (const auto variable = symbols->variable_at(at)) {
      names.push_back(variable->function);
    }
  }
  CHECK(std::ranges::count(names, "g_pair") == 1);
  CHECK(std::ranges::count(names, "g_pair+0x8") == 1);
  CHECK_FALSE(symbols->variable_at(start_of(*symbols, "outer")));
}

TEST_CASE("the vdso has names, and no version stands in any", "[symbols]") {
  auto vdso = ElfSymbols::open("[vdso]", {});
  if (vdso) {  // some machines have none
    bool clock = false;
    for (const FunctionRange& function : vdso->functions()) {
      const auto frame = vdso->function_at(function.start);
      REQUIRE(frame);
      CHECK(frame->function.find('@') == std::string::npos);
      clock = clock || frame->function.ends_with("clock_gettime");
    }
    CHECK(clock);
  }
}

TEST_CASE("a separate debug file is used, another build's is not", "[symbols]") {
  Fixture fixture;
  fixture.run("objcopy --only-keep-debug lib.so lib.debug");
  fixture.run("strip -o stripped.so lib.so && objcopy --add-gnu-debuglink=lib.debug stripped.so");
  auto symbols = ElfSymbols::open(fixture.path("stripped.so"), {});
  REQUIRE(symbols);
  check_names_and_lines(*symbols);

  fixture.run("c++ -g -O1 -shared -fPIC -Wl,--build-id -o other.so fixture.cc");
  fixture.run("objcopy --only-keep-debug other.so lib.debug");
  auto without = ElfSymbols::open(fixture.path("stripped.so"), {});
  REQUIRE(without);
  const auto outer = without->function_at(start_of(*without, "outer"));  // from .dynsym
  REQUIRE(outer);
  CHECK(outer->file.empty());
}

TEST_CASE("a debug link without build-ids is held to its checksum", "[symbols]") {
  Fixture fixture;
  fixture.run("c++ -g -O2 -shared -fPIC -Wl,--build-id=none -o lib.so fixture.cc");
  fixture.run("objcopy --only-keep-debug lib.so lib.debug");
  fixture.run("strip -o stripped.so lib.so && objcopy --add-gnu-debuglink=lib.debug stripped.so");
  auto symbols = ElfSymbols::open(fixture.path("stripped.so"), {});
  REQUIRE(symbols);
  check_names_and_lines(*symbols);
  fixture.run("printf x >> lib.debug");
  auto changed = ElfSymbols::open(fixture.path("stripped.so"), {});
  REQUIRE(changed);
  CHECK(changed->function_at(start_of(*changed, "outer"))->file.empty());
}

TEST_CASE("open refuses what it should", "[symbols]") {
  Fixture fixture;
  fixture.run("mkfifo pipe && mkdir folder && echo text > text && : > empty");
  const auto missing = ElfSymbols::open(fixture.path("none"), {});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().what == "cannot open '" + fixture.path("none") + "': no such file");
  for (const char* name : {"pipe", "folder", "text", "empty"}) {
    CAPTURE(name);
    CHECK_FALSE(ElfSymbols::open(fixture.path(name), {}));
  }
  CHECK_FALSE(ElfSymbols::open("/proc/self/exe", {}));  // another one in each process
  const std::vector<std::uint8_t> other(20, 0xab);
  const auto mismatch = ElfSymbols::open(fixture.path(), other);
  REQUIRE_FALSE(mismatch);
  CHECK(mismatch.error().what == "'" + fixture.path() + "' is another build than the one recorded");
}

void use_everything(const std::string& path) {
  auto symbols = ElfSymbols::open(path, {});
  if (!symbols) {
    return;
  }
  for (const FunctionRange& function : symbols->functions()) {
    symbols->function_at(function.start);
    symbols->frames_at(function.start + 1);
  }
  for (std::uint64_t offset = 0x1000; offset < 0x1200; offset += 8) {
    symbols->function_at(offset);
    symbols->frames_at(offset);
    symbols->variable_at(offset);
  }
}

TEST_CASE("a truncated or corrupted file yields fewer names", "[symbols]") {
  Fixture fixture;
  std::ifstream in(fixture.path(), std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  const std::string path = fixture.path("damaged.so");
  const auto write = [&path](const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  };
  for (std::size_t cut = 0; cut < whole.size(); cut += 97) {
    write(whole.substr(0, cut));
    use_everything(path);
  }
  std::mt19937 random(1);  // NOLINT: the same damage every time
  for (int round = 0; round < 400; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 20; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    write(bytes);
    use_everything(path);
  }
  SUCCEED();
}

}  // namespace
