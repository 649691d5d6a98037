// SPDX-License-Identifier: Apache-2.0
#include "format/block.h"

#include <array>
#include <catch2/catch.hpp>

#include "format/bytes.h"

namespace spyglass::format {
namespace {

constexpr std::array<std::uint8_t, 16> kUuid = {1, 2, 3, 4, 5, 6, 7, 8, 9};

std::span<const std::uint8_t> bytes_of(const auto& frame) {
  return {reinterpret_cast<const std::uint8_t*>(&frame), sizeof frame};
}

TEST_CASE("block: the file header is checked field by field") {
  FileHeader header = seal_file_header(kUuid, 1234);
  const Result<FileHeader> sound = check_file_header(bytes_of(header));
  REQUIRE(sound);
  CHECK(sound->started_unix_ns == 1234);
  CHECK(block_seed(*sound) == 0x0807060504030201ULL);

  CHECK(check_file_header({}).error().what == "not a recording");
  CHECK(check_file_header(bytes_of(header).first(63)).error().kind == ErrorKind::kDamaged);
  header.major ^= 1;
  CHECK(check_file_header(bytes_of(header)).error().kind == ErrorKind::kDamaged);
  header.magic[0] = 'X';
  CHECK(check_file_header(bytes_of(header)).error().kind == ErrorKind::kFormat);
}

TEST_CASE("block: sealed blocks pass the checks, changed ones do not") {
  const std::vector<std::uint8_t> payload = {1, 2, 3, 4, 5};
  std::vector<std::uint8_t> file(3);
  const BlockFields fields = {.kind = BlockKind::kSpans,
                              .codec = Codec::kNone,
                              .raw_bytes = 5,
                              .sequence = 9,
                              .thread = 4,
                              .records = 2,
                              .first_ticks = 10,
                              .last_ticks = 20};
  seal_block(fields, payload, 77, file);
  REQUIRE(file.size() == 3 + 64 + 8);
  const auto block = std::span<const std::uint8_t>(file).subspan(3);
  const auto header = check_block_header(block, 77);
  REQUIRE(header);
  CHECK(header->sequence == 9);
  CHECK(header->stored_bytes == 5);
  CHECK(block_bytes(*header) == 72);
  CHECK(check_block_payload(*header, block.subspan(64, 5)));
  CHECK_FALSE(check_block_payload(*header, block.subspan(64, 4)));

  CHECK_FALSE(check_block_header(block, 78));
  CHECK_FALSE(check_block_header(block.first(63), 77));
  for (std::size_t at = 0; at < 64; ++at) {
    std::vector<std::uint8_t> changed(block.begin(), block.end());
    changed[at] ^= 0x10;
    CHECK_FALSE(check_block_header(changed, 77));
  }
}

TEST_CASE("block: index and footer come back") {
  std::vector<std::uint8_t> payload;
  const std::vector<IndexEntry> entries = {{.offset = 64,
                                            .first_ticks = 1,
                                            .last_ticks = 2,
                                            .thread = 3,
                                            .records = 4,
                                            .kind = BlockKind::kSpans,
                                            .reserved = {}}};
  encode_index(entries, payload);
  std::vector<IndexEntry> out;
  REQUIRE(decode_index(payload, 1, out));
  CHECK(out.at(0).offset == 64);
  CHECK(out.at(0).kind == BlockKind::kSpans);
  CHECK_FALSE(decode_index(payload, 2, out));
  CHECK(out.size() == 1);

  const Footer footer = seal_footer(640, 12, 77);
  REQUIRE(check_footer(bytes_of(footer), 77));
  CHECK(check_footer(bytes_of(footer), 77)->blocks == 12);
  CHECK_FALSE(check_footer(bytes_of(footer), 78));
}

}  // namespace
}  // namespace spyglass::format
