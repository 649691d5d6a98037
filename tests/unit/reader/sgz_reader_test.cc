// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/sgz_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>

#include "format/block.h"
#include "tests/support/recording_builder.h"

namespace spyglass {
namespace {

using format::BlockKind;
using format::Codec;
using tests::RecordingBuilder;
using tests::sample_recording;

using Bytes = std::vector<std::uint8_t>;

// Payloads of all readable blocks by sequence number.
struct Contents {
  std::map<std::uint64_t, Bytes> blocks;
  std::vector<ReaderDamage> damage;
};

Contents read_all(const Bytes& bytes) {
  Contents contents;
  Result<SgzReader> reader = SgzReader::from_bytes(bytes);
  if (!reader) {
    contents.damage.push_back({0, 0, reader.error().what});
    return contents;
  }
  BlockView block;
  Bytes raw;
  std::uint64_t previous = 0;
  while (reader->next(block)) {
    REQUIRE(block.offset > previous);
    previous = block.offset;
    if (reader->payload(block, raw)) {
      contents.blocks[block.header.sequence] = raw;
    }
  }
  contents.damage = reader->damage();
  return contents;
}

TEST_CASE("reader: an intact recording is read block by block") {
  const Codec codec = GENERATE(Codec::kNone, Codec::kLz4, Codec::kZstd);
  const RecordingBuilder recording = sample_recording(codec).finish();
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  REQUIRE(reader);
  CHECK(reader->has_footer());
  CHECK(reader->header().started_unix_ns == 1'700'000'000'000'000'000);
  std::vector<std::uint64_t> offsets;
  BlockView block;
  while (reader->next(block)) {
    offsets.push_back(block.offset);
  }
  CHECK_FALSE(reader->next(block));
  std::vector<std::uint64_t> expected = recording.block_offsets();
  expected.pop_back();
  CHECK(offsets == expected);
  CHECK(reader->damage().empty());
  CHECK(read_all(sample_recording(codec).bytes()).blocks ==
        read_all(sample_recording().bytes()).blocks);

  reader->rewind();
  REQUIRE(reader->next(block));
  CHECK(block.header.kind == BlockKind::kSession);
}

TEST_CASE("reader: what is no recording is refused in one line") {
  CHECK(SgzReader::open("/nonexistent/x.sgz").error().what ==
        "cannot open '/nonexistent/x.sgz': no such file or directory");
  CHECK(SgzReader::open("/dev/null").error().what == "cannot open '/dev/null': not a regular file");
  const Bytes text = {'h', 'e', 'l', 'l', 'o'};
  CHECK(SgzReader::from_bytes(text).error().kind == ErrorKind::kFormat);
  CHECK_FALSE(SgzReader::from_bytes({}));
}

TEST_CASE("reader: another major version is refused") {
  format::FileHeader header = format::seal_file_header(tests::kTestUuid, 0);
  header.major = 2;
  Bytes bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  CHECK_FALSE(SgzReader::from_bytes(bytes));
}

TEST_CASE("reader: a recording without footer is damaged only at its end") {
  const Contents contents = read_all(sample_recording().bytes());
  CHECK(contents.blocks.size() == 16);
  REQUIRE(contents.damage.size() == 1);
  CHECK(contents.damage[0].offset == sample_recording().bytes().size());
}

TEST_CASE("reader: missing blocks are reported") {
  RecordingBuilder recording = sample_recording();
  const std::uint64_t gap_at = recording.bytes().size();
  recording.lose_block().lose_block();
  recording.losses({});
  recording.finish();
  const Contents contents = read_all(recording.bytes());
  CHECK(contents.damage == std::vector<ReaderDamage>{{gap_at, 0, "blocks 16 to 17 are missing"}});
}

TEST_CASE("reader: a block that is there twice is delivered once") {
  Bytes bytes = sample_recording().bytes();
  const std::vector<std::uint64_t> offsets = sample_recording().block_offsets();
  const Bytes copy(bytes.begin() + static_cast<long>(offsets[3]),
                   bytes.begin() + static_cast<long>(offsets[4]));
  bytes.insert(bytes.begin() + static_cast<long>(offsets[6]), copy.begin(), copy.end());
  const Contents contents = read_all(bytes);
  CHECK(contents.blocks == read_all(sample_recording().bytes()).blocks);
  CHECK(contents.damage.at(0).what == "block 3 again");
}

TEST_CASE("reader: kinds of later versions are delivered") {
  RecordingBuilder recording;
  recording.block(static_cast<BlockKind>(200), {1, 2, 3}, 1).finish();
  CHECK(read_all(recording.bytes()).blocks.at(0) == Bytes{1, 2, 3});
}

// Every block that `damaged` has in full is read as it was; all others are reported.
void check_recovered(const Contents& intact, const Contents& found,
                     const std::vector<std::uint64_t>& untouched) {
  for (const std::uint64_t sequence : untouched) {
    const auto block = found.blocks.find(sequence);
    REQUIRE(block != found.blocks.end());
    REQUIRE(block->second == intact.blocks.at(sequence));
  }
  for (const auto& [sequence, raw] : found.blocks) {
    REQUIRE(raw == intact.blocks.at(sequence));
  }
  REQUIRE_FALSE(found.damage.empty());
}

// Blocks outside [from, to) of the file.
std::vector<std::uint64_t> blocks_outside(const std::vector<std::uint64_t>& offsets,
                                          std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> sequences;
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    if (offsets[i + 1] <= from || offsets[i] >= to) {
      sequences.push_back(i);
    }
  }
  return sequences;
}

// Bytes between a payload's end and the next block carry nothing.
bool is_padding(const Bytes& bytes, const std::vector<std::uint64_t>& offsets, std::size_t at) {
  for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
    std::uint32_t stored = 0;
    std::memcpy(&stored, bytes.data() + offsets[i] + offsetof(format::BlockHeader, stored_bytes),
                sizeof stored);
    if (at >= offsets[i] + sizeof(format::BlockHeader) + stored && at < offsets[i + 1]) {
      return true;
    }
  }
  return false;
}

TEST_CASE("reader: any byte may be changed") {
  const Codec codec = GENERATE(Codec::kNone, Codec::kZstd);
  const RecordingBuilder recording = sample_recording(codec).finish();
  const std::vector<std::uint64_t> offsets = recording.block_offsets();
  const Contents intact = read_all(recording.bytes());
  for (std::size_t at = 0; at < recording.bytes().size(); ++at) {
    for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
      Bytes bytes = recording.bytes();
      bytes[at] ^= static_cast<std::uint8_t>(change);
      const Contents found = read_all(bytes);
      INFO("byte " << at << " changed by " << change);
      if (is_padding(recording.bytes(), offsets, at)) {
        REQUIRE(found.blocks == intact.blocks);
        REQUIRE(found.damage.size() == 1);
      } else {
        check_recovered(intact, found, blocks_outside(offsets, at, at + 1));
      }
    }
  }
}

TEST_CASE("reader: a recording may be cut anywhere") {
  const RecordingBuilder recording = sample_recording().finish();
  const std::vector<std::uint64_t> offsets = recording.block_offsets();
  const Contents intact = read_all(recording.bytes());
  for (std::size_t size = 0; size < recording.bytes().size(); ++size) {
    INFO("cut at " << size);
    const Bytes bytes(recording.bytes().begin(),
                      recording.bytes().begin() + static_cast<long>(size));
    check_recovered(intact, read_all(bytes), blocks_outside(offsets, size, ~std::uint64_t{0}));
  }
}

TEST_CASE("reader: bytes may be missing or added anywhere after the file header") {
  const RecordingBuilder recording = sample_recording().finish();
  const std::vector<std::uint64_t> offsets = recording.block_offsets();
  const Contents intact = read_all(recording.bytes());
  const std::size_t count = GENERATE(1U, 7U, 8U, 100U);
  for (std::size_t at = sizeof(format::FileHeader); at + count < offsets.back(); at += 3) {
    INFO(count << " bytes at " << at);
    Bytes shorter = recording.bytes();
    shorter.erase(shorter.begin() + static_cast<long>(at),
                  shorter.begin() + static_cast<long>(at + count));
    const Contents found = read_all(shorter);
    for (const std::uint64_t sequence : blocks_outside(offsets, at, at + count)) {
      REQUIRE(found.blocks.contains(sequence));
    }
    Bytes longer = recording.bytes();
    longer.insert(longer.begin() + static_cast<long>(at), count, 0x42);
    const Contents more = read_all(longer);
    for (const std::uint64_t sequence : blocks_outside(offsets, at, at + 1)) {
      REQUIRE(more.blocks.contains(sequence));
    }
  }
}

TEST_CASE("reader: overlapping blocks do not cost the square of the file's size") {
  RecordingBuilder recording;
  const format::FileHeader header = format::seal_file_header(tests::kTestUuid, 0);
  Bytes bytes = recording.bytes();
  // 20 000 headers, each claiming all that follows as its payload.
  constexpr std::size_t kHeaders = 20'000;
  for (std::size_t i = 0; i < kHeaders; ++i) {
    const Bytes payload((kHeaders - 1 - i) % 1000 * sizeof(format::BlockHeader));
    const format::BlockHeader block = format::seal_header(
        {.kind = BlockKind::kSpans, .sequence = i}, payload, format::block_seed(header));
    const auto* raw = reinterpret_cast<const std::uint8_t*>(&block);
    bytes.insert(bytes.end(), raw, raw + sizeof block);
  }
  bytes[bytes.size() / 2] ^= 1;
  CHECK_FALSE(read_all(bytes).damage.empty());
}

TEST_CASE("reader: a damaged recording reads the same the second time") {
  // Found by fuzzing: overlapping blocks that used up what may be spent on looking into payloads.
  std::ifstream file(SPYGLASS_SOURCE_DIR "/tests/fuzz/corpus/reader/overlapping_blocks.sgz",
                     std::ios::binary);
  const Bytes bytes{std::istreambuf_iterator<char>(file), {}};
  Result<SgzReader> reader = SgzReader::from_bytes(bytes);
  REQUIRE(reader);
  const auto read = [&] {
    std::size_t blocks = 0;
    BlockView block;
    Bytes raw;
    while (reader->next(block)) {
      blocks += 1;
      static_cast<void>(reader->payload(block, raw).has_value());
    }
    return std::pair(blocks, reader->damage().size());
  };
  const auto first = read();
  reader->rewind();
  CHECK(read() == first);
}

}  // namespace
}  // namespace spyglass
