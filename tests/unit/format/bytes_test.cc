// SPDX-License-Identifier: Apache-2.0
#include "format/bytes.h"

#include <catch2/catch.hpp>

namespace spyglass::format {
namespace {

TEST_CASE("bytes: varints of every length come back") {
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint64_t> values = {0, ~std::uint64_t{0}};
  for (unsigned bit = 0; bit < 64; ++bit) {
    values.push_back(std::uint64_t{1} << bit);
    values.push_back((std::uint64_t{1} << bit) - 1);
  }
  ByteWriter writer(bytes);
  for (const std::uint64_t value : values) {
    writer.varint(value);
    writer.difference(value, 12345);
  }
  ByteReader reader(bytes);
  for (const std::uint64_t value : values) {
    CHECK(reader.varint() == value);
    CHECK(reader.difference(12345) == value);
  }
  CHECK(reader.finished());
}

TEST_CASE("bytes: zigzag keeps small differences small") {
  CHECK(zigzag(0) == 0);
  CHECK(zigzag(~std::uint64_t{0}) == 1);
  CHECK(zigzag(1) == 2);
  CHECK(unzigzag(zigzag(std::uint64_t{1} << 63U)) == std::uint64_t{1} << 63U);
}

TEST_CASE("bytes: a reader that ran past its end stays failed") {
  const std::vector<std::uint8_t> cut = {0x80};
  ByteReader reader(cut);
  CHECK(reader.varint() == 0);
  CHECK(reader.failed());
  CHECK(reader.varint() == 0);
  CHECK(reader.raw(1).empty());
  CHECK_FALSE(reader.finished());
}

TEST_CASE("bytes: varints past 64 or 32 bits are refused") {
  const std::vector<std::uint8_t> eleven(11, 0x80);
  CHECK(ByteReader(eleven).varint() == 0);
  std::vector<std::uint8_t> too_big(9, 0xff);
  too_big.push_back(2);
  ByteReader big(too_big);
  big.varint();
  CHECK(big.failed());

  std::vector<std::uint8_t> bytes;
  ByteWriter(bytes).varint(std::uint64_t{1} << 32U);
  ByteReader reader(bytes);
  CHECK(reader.varint32() == 0);
  CHECK(reader.failed());
}

TEST_CASE("bytes: fixed fields are little-endian") {
  std::vector<std::uint8_t> bytes;
  ByteWriter(bytes).fixed(std::uint32_t{0x04030201});
  CHECK(bytes == std::vector<std::uint8_t>{1, 2, 3, 4});
  CHECK(ByteReader(bytes).fixed<std::uint16_t>() == 0x0201);
}

}  // namespace
}  // namespace spyglass::format
