// SPDX-License-Identifier: Apache-2.0
#include "format/allocation_codec.h"

#include <catch2/catch.hpp>
#include <random>

namespace spyglass::format {
namespace {

constexpr std::uint64_t kMax = ~std::uint64_t{0};

std::vector<AllocationRecord> some_records() {
  return {{1000, AllocationKind::kAllocate, 7, 0x1000, 24},
          {1010, AllocationKind::kFree, 9, 0x1000, 0},
          {1020, AllocationKind::kAllocate, 7, 0x1000, 24},
          {1005, AllocationKind::kAllocate, 7 + 4096, 0x2000, 100},
          {1030, AllocationKind::kMoveFrom, 9, 0x2000, 0},
          {1031, AllocationKind::kMoveTo, 7, 0x3000, 200},
          {1040, AllocationKind::kMap, UINT32_MAX, kMax, kMax},
          {kMax, AllocationKind::kUnmap, 0, 0, kMax},
          {0, static_cast<AllocationKind>(UINT32_MAX), 1, kMax, 5},
          AllocationRecord{}};
}

TEST_CASE("allocation codec: what goes in comes out, and nothing else is taken") {
  const std::vector<AllocationRecord> records = some_records();
  const auto count = static_cast<std::uint32_t>(records.size());
  std::vector<std::uint8_t> bytes;
  encode_allocations(records, bytes);
  std::vector<AllocationRecord> out(1);
  REQUIRE(decode_allocations(bytes, count, out));
  CHECK(std::vector(out.begin() + 1, out.end()) == records);
  out.clear();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_allocations(std::span(bytes).first(size), count, out));
    CHECK(out.empty());
  }
  CHECK_FALSE(decode_allocations(bytes, count + 1, out));
  CHECK_FALSE(decode_allocations(bytes, count - 1, out));
  CHECK_FALSE(decode_allocations(bytes, UINT32_MAX, out));
  CHECK(decode_allocations({}, 0, out));
}

TEST_CASE("allocation codec: an address from before the block is refused") {
  std::vector<std::uint8_t> bytes;
  encode_allocations(std::vector<AllocationRecord>(1), bytes);
  REQUIRE(bytes.size() == 6);
  bytes = {0, 0, 0, 0, 1};  // its distance is 1
  std::vector<AllocationRecord> out;
  CHECK_FALSE(decode_allocations(bytes, 1, out));
}

TEST_CASE("allocation codec: a program that frees what it just got takes few bytes") {
  std::mt19937_64 random(1);
  std::vector<AllocationRecord> records;
  std::vector<std::uint64_t> live;
  std::uint64_t ticks = 1;
  for (int i = 0; i < 10000; ++i) {
    ticks += 200 + random() % 100;
    if (live.size() < 20 || (live.size() < 60 && random() % 2 == 0)) {
      live.push_back(0x7f0000000000 + random() % 4096 * 16);
      records.push_back({ticks, AllocationKind::kAllocate,
                         static_cast<std::uint32_t>(10 + random() % 8), live.back(), 48});
    } else {
      const std::size_t which = live.size() - 1 - random() % 4;
      records.push_back({ticks, AllocationKind::kFree, 3, live[which], 0});
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  std::vector<std::uint8_t> bytes;
  encode_allocations(records, bytes);
  std::vector<AllocationRecord> out;
  REQUIRE(decode_allocations(bytes, static_cast<std::uint32_t>(records.size()), out));
  CHECK(out == records);
  CHECK(bytes.size() < records.size() * 8);
}

TEST_CASE("resident codec: what goes in comes out, and nothing else is taken") {
  const std::vector<ResidentRecord> records = {
      {1, 1000, 4096}, {2, 900, 1U << 30U}, {UINT32_MAX, kMax, kMax}, {}};
  const auto count = static_cast<std::uint32_t>(records.size());
  std::vector<std::uint8_t> bytes;
  encode_resident(records, bytes);
  std::vector<ResidentRecord> out;
  REQUIRE(decode_resident(bytes, count, out));
  CHECK(out == records);
  CHECK_FALSE(decode_resident(bytes, count - 1, out));
  CHECK_FALSE(decode_resident(std::span(bytes).first(bytes.size() - 1), count, out));
}

}  // namespace
}  // namespace spyglass::format
