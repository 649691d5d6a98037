// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/address_space.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>

namespace spyglass::collector {
namespace {

TEST_CASE("address space: what is mapped later takes the place of what was there") {
  AddressSpace space;
  space.map({0x1000, 0x9000, 0, 1});
  space.map({0x3000, 0x5000, 0x100, 2});
  REQUIRE(space.find(0x2fff) != nullptr);
  CHECK(space.find(0x2fff)->image == 1);
  CHECK(space.find(0x3000)->image == 2);
  const CodeMapping* rest = space.find(0x5000);
  REQUIRE(rest != nullptr);
  CHECK(rest->image == 1);
  CHECK(rest->start == 0x5000);
  CHECK(rest->file_offset == 0x4000);
  CHECK(space.find(0xfff) == nullptr);
  CHECK(space.find(0x9000) == nullptr);
  space.map({0x8000, 0x8000, 0, 3});
  CHECK(space.find(0x8000)->image == 1);
}

TEST_CASE("address space: agrees with a page by page model") {
  std::mt19937 random(1);
  AddressSpace space;
  std::map<std::uint64_t, std::pair<std::uint32_t, std::uint64_t>> model;  // page: image, offset
  for (std::uint32_t image = 1; image < 400; ++image) {
    const std::uint64_t start = random() % 64;
    const std::uint64_t pages = 1 + random() % 16;
    space.map({start * 4096, (start + pages) * 4096, 0, image});
    for (std::uint64_t page = 0; page < pages; ++page) {
      model[start + page] = {image, page * 4096};
    }
    for (std::uint64_t page = 0; page < 90; ++page) {
      const CodeMapping* found = space.find(page * 4096 + 5);
      const auto expected = model.find(page);
      REQUIRE((found != nullptr) == (expected != model.end()));
      if (found != nullptr) {
        REQUIRE(found->image == expected->second.first);
        REQUIRE(found->file_offset + page * 4096 - found->start == expected->second.second);
      }
    }
  }
}

TEST_CASE("address spaces: a child begins with its parent's, a program with nothing") {
  AddressSpaces spaces;
  spaces.of(1).map({0x1000, 0x2000, 0, 1});
  spaces.fork(1, 2);
  spaces.of(1).map({0x1000, 0x2000, 0, 7});
  REQUIRE(spaces.of(2).find(0x1000) != nullptr);
  CHECK(spaces.of(2).find(0x1000)->image == 1);
  spaces.exec(2);
  CHECK(spaces.of(2).find(0x1000) == nullptr);
}

}  // namespace
}  // namespace spyglass::collector
