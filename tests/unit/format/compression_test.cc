// SPDX-License-Identifier: Apache-2.0
#include "format/compression.h"

#include <catch2/catch.hpp>
#include <random>

namespace spyglass::format {
namespace {

std::vector<std::uint8_t> random_bytes(std::size_t size, unsigned alphabet) {
  std::mt19937 random(7);
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& byte : bytes) {
    byte = static_cast<std::uint8_t>(random() % alphabet);
  }
  return bytes;
}

TEST_CASE("compression: what goes in comes out") {
  Compressor compressor;
  const Codec wanted = GENERATE(Codec::kNone, Codec::kLz4, Codec::kZstd);
  const std::size_t size = GENERATE(0U, 1U, 100U, 100'000U);
  const std::vector<std::uint8_t> raw = random_bytes(size, 3);
  std::vector<std::uint8_t> stored;
  const Codec used = compressor.compress(raw, wanted, stored);
  CHECK((used == wanted || used == Codec::kNone));
  if (size == 100'000 && wanted != Codec::kNone) {
    CHECK(stored.size() < size * 3 / 4);
  }
  std::vector<std::uint8_t> out;
  REQUIRE(decompress(stored, used, static_cast<std::uint32_t>(size), out));
  CHECK(out == raw);
}

TEST_CASE("compression: incompressible data is stored as it is") {
  Compressor compressor;
  const Codec wanted = GENERATE(Codec::kLz4, Codec::kZstd);
  const std::vector<std::uint8_t> raw = random_bytes(10'000, 256);
  std::vector<std::uint8_t> stored;
  CHECK(compressor.compress(raw, wanted, stored) == Codec::kNone);
  CHECK(stored == raw);
}

TEST_CASE("compression: wrong sizes, wrong bytes and unknown codecs are refused") {
  Compressor compressor;
  const Codec codec = GENERATE(Codec::kLz4, Codec::kZstd);
  const std::vector<std::uint8_t> raw = random_bytes(10'000, 3);
  std::vector<std::uint8_t> stored;
  REQUIRE(compressor.compress(raw, codec, stored) == codec);
  std::vector<std::uint8_t> out;
  CHECK_FALSE(decompress(stored, codec, 9'999, out));
  CHECK(out.empty());
  CHECK_FALSE(decompress(stored, codec, 10'001, out));
  CHECK_FALSE(decompress(stored, codec, kMaxRawBytes + 1, out));
  CHECK_FALSE(decompress(stored, static_cast<Codec>(77), 10'000, out));
  stored.resize(stored.size() / 2);
  CHECK_FALSE(decompress(stored, codec, 10'000, out));
}

TEST_CASE("compression: random bytes never crash a decompressor") {
  std::mt19937 random(11);
  std::vector<std::uint8_t> out;
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint8_t> stored(random() % 200);
    for (std::uint8_t& byte : stored) {
      byte = static_cast<std::uint8_t>(random());
    }
    const auto codec = static_cast<Codec>(random() % 3);
    const auto raw_bytes = static_cast<std::uint32_t>(random() % 4096);
    if (decompress(stored, codec, raw_bytes, out)) {
      CHECK(out.size() == raw_bytes);
    }
  }
}

}  // namespace
}  // namespace spyglass::format
