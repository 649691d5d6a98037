// SPDX-License-Identifier: Apache-2.0
#include "format/block.h"

#include <algorithm>
#include <array>
#include <string>

#include "format/bytes.h"
#include "format/checksum.h"

namespace spyglass::format {
namespace {

// Every struct of the frame ends with the checksum of what is before it.
template <typename Frame>
std::uint64_t frame_checksum(const Frame& frame, std::uint64_t seed) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&frame);
  return checksum({bytes, sizeof frame - sizeof(std::uint64_t)}, seed);
}

}  // namespace

FileHeader seal_file_header(std::span<const std::uint8_t, 16> uuid, std::uint64_t started_unix_ns) {
  FileHeader header{};
  std::ranges::copy(kFileMagic, header.magic);
  header.major = kFormatMajor;
  header.minor = kFormatMinor;
  header.header_bytes = sizeof header;
  std::ranges::copy(uuid, header.uuid);
  header.started_unix_ns = started_unix_ns;
  header.checksum = frame_checksum(header, 0);
  return header;
}

Result<FileHeader> check_file_header(std::span<const std::uint8_t> bytes) {
  ByteReader reader(bytes);
  const auto header = reader.fixed<FileHeader>();
  if (bytes.size() < sizeof kFileMagic || !std::ranges::equal(kFileMagic, bytes.first(8))) {
    return Error{ErrorKind::kFormat, "not a recording"};
  }
  if (reader.failed()) {
    return Error{ErrorKind::kDamaged, "cut off inside the file header", bytes.size()};
  }
  if (header.checksum != frame_checksum(header, 0)) {
    return Error{ErrorKind::kDamaged, "the file header is damaged"};
  }
  if (header.major != kFormatMajor) {
    return Error{ErrorKind::kFormat, "recording format " + std::to_string(header.major) +
                                         ", this version reads format " +
                                         std::to_string(kFormatMajor)};
  }
  if (header.header_bytes < sizeof header || header.header_bytes % kBlockAlignment != 0) {
    return Error{ErrorKind::kDamaged, "the file header declares an impossible size"};
  }
  return header;
}

std::uint64_t block_seed(const FileHeader& file) {
  return ByteReader({file.uuid, sizeof file.uuid}).fixed<std::uint64_t>();
}

BlockHeader seal_header(const BlockFields& fields, std::span<const std::uint8_t> stored,
                        std::uint64_t seed) {
  BlockHeader header{};
  header.magic = kBlockMagic;
  header.kind = fields.kind;
  header.codec = fields.codec;
  header.raw_bytes = fields.raw_bytes;
  header.stored_bytes = static_cast<std::uint32_t>(stored.size());
  header.sequence = fields.sequence;
  header.thread = fields.thread;
  header.records = fields.records;
  header.first_ticks = fields.first_ticks;
  header.last_ticks = fields.last_ticks;
  header.payload_checksum = checksum(stored);
  header.header_checksum = frame_checksum(header, seed);
  return header;
}

void seal_block(const BlockFields& fields, std::span<const std::uint8_t> stored, std::uint64_t seed,
                std::vector<std::uint8_t>& out) {
  const BlockHeader header = seal_header(fields, stored, seed);
  const std::size_t end = out.size() + static_cast<std::size_t>(block_bytes(header));
  ByteWriter writer(out);
  writer.fixed(header);
  writer.raw(stored.data(), stored.size());
  out.resize(end);
}

std::optional<BlockHeader> check_block_header(std::span<const std::uint8_t> bytes,
                                              std::uint64_t seed) {
  ByteReader reader(bytes);
  const auto header = reader.fixed<BlockHeader>();
  if (reader.failed() || header.magic != kBlockMagic ||
      header.header_checksum != frame_checksum(header, seed)) {
    return std::nullopt;
  }
  // Sizes that a sound checksum vouches for can still be those of a hostile writer.
  if (header.raw_bytes > kMaxRawBytes || header.stored_bytes > kMaxRawBytes) {
    return std::nullopt;
  }
  return header;
}

bool check_block_payload(const BlockHeader& header, std::span<const std::uint8_t> stored) {
  return stored.size() == header.stored_bytes && checksum(stored) == header.payload_checksum;
}

std::uint64_t block_bytes(const BlockHeader& header) {
  const std::uint64_t bytes = sizeof header + header.stored_bytes;
  return (bytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
}

std::string_view kind_name(BlockKind kind) {
  constexpr std::array<std::string_view, 19> kNames = {
      "unknown",  "session", "processes",  "threads",     "modules", "sites", "nodes",
      "counters", "spans",   "open_calls", "losses",      "symbols", "end",   "index",
      "objects",  "metrics", "events",     "allocations", "resident"};
  const auto number = static_cast<std::size_t>(kind);
  return number < kNames.size() ? kNames[number] : kNames[0];
}

std::string_view codec_name(Codec codec) {
  constexpr std::array<std::string_view, 3> kNames = {"none", "lz4", "zstd"};
  const auto number = static_cast<std::size_t>(codec);
  return number < kNames.size() ? kNames[number] : "unknown";
}

void encode_index(std::span<const IndexEntry> entries, std::vector<std::uint8_t>& out) {
  ByteWriter(out).raw(entries.data(), entries.size_bytes());
}

Status decode_index(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<IndexEntry>& out) {
  if (payload.size() != std::uint64_t{records} * sizeof(IndexEntry)) {
    return Error{ErrorKind::kDamaged, "the index has another size than its records"};
  }
  const std::size_t before = out.size();
  out.resize(before + records);
  if (records != 0) {
    std::memcpy(out.data() + before, payload.data(), payload.size());
  }
  return Unit{};
}

Footer seal_footer(std::uint64_t index_offset, std::uint64_t blocks, std::uint64_t seed) {
  Footer footer{};
  std::ranges::copy(kFileMagic, footer.magic);
  footer.index_offset = index_offset;
  footer.blocks = blocks;
  footer.checksum = frame_checksum(footer, seed);
  return footer;
}

std::optional<Footer> check_footer(std::span<const std::uint8_t> bytes, std::uint64_t seed) {
  ByteReader reader(bytes);
  const auto footer = reader.fixed<Footer>();
  if (reader.failed() || !std::ranges::equal(kFileMagic, footer.magic) ||
      footer.checksum != frame_checksum(footer, seed)) {
    return std::nullopt;
  }
  return footer;
}

}  // namespace spyglass::format
