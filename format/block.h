// SPDX-License-Identifier: Apache-2.0
// block.h - the frame of sgz.h, sealed by the writer and checked by the reader in one place.
//
//   Where    collector and reader.
//   Memory   appends to the caller's vector.
//   Errors   the check functions reject what no writer of this version produces.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "format/result.h"
#include "format/sgz.h"

namespace spyglass::format {

inline constexpr std::uint64_t kBlockAlignment = 8;

FileHeader seal_file_header(std::span<const std::uint8_t, 16> uuid, std::uint64_t started_unix_ns);
// `bytes`: the first bytes of a file. Says what is wrong: no recording, another version, damaged.
Result<FileHeader> check_file_header(std::span<const std::uint8_t> bytes);

// Ties blocks to their file: a stray block of another recording fails its checksum.
std::uint64_t block_seed(const FileHeader& file);

// What the writer decides about a block; the rest of the header follows from the payload.
struct BlockFields {
  BlockKind kind = BlockKind::kSession;
  Codec codec = Codec::kNone;
  std::uint32_t raw_bytes = 0;  // payload before compression
  std::uint64_t sequence = 0;
  std::uint32_t thread = 0;
  std::uint32_t records = 0;
  std::uint64_t first_ticks = 0;
  std::uint64_t last_ticks = 0;
};

// The header that goes before `stored`, which padding to kBlockAlignment follows in the file.
BlockHeader seal_header(const BlockFields& fields, std::span<const std::uint8_t> stored,
                        std::uint64_t seed);
// Appends header, payload and padding.
void seal_block(const BlockFields& fields, std::span<const std::uint8_t> stored, std::uint64_t seed,
                std::vector<std::uint8_t>& out);

// The header at the start of `bytes`, if it is intact. Kinds and codecs unknown to us are let
// through.
std::optional<BlockHeader> check_block_header(std::span<const std::uint8_t> bytes,
                                              std::uint64_t seed);
bool check_block_payload(const BlockHeader& header, std::span<const std::uint8_t> stored);

// Header, payload and padding in the file.
std::uint64_t block_bytes(const BlockHeader& header);

// As docs/format.md calls them; "unknown" for those of later versions.
std::string_view kind_name(BlockKind kind);
std::string_view codec_name(Codec codec);

void encode_index(std::span<const IndexEntry> entries, std::vector<std::uint8_t>& out);
Status decode_index(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<IndexEntry>& out);

Footer seal_footer(std::uint64_t index_offset, std::uint64_t blocks, std::uint64_t seed);
// `bytes`: the last sizeof(Footer) bytes of a file.
std::optional<Footer> check_footer(std::span<const std::uint8_t> bytes, std::uint64_t seed);

}  // namespace spyglass::format
