// SPDX-License-Identifier: Apache-2.0
// compression.h - one block's payload, compressed and back. The one use of lz4 and zstd.
//
//   Where    collector and reader. A Compressor belongs to one thread.
//   Memory   workspaces are kept between calls.
//   Errors   decompress rejects data that does not yield exactly raw_bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "format/result.h"
#include "format/sgz.h"

namespace spyglass::format {

class Compressor {
 public:
  Compressor();
  ~Compressor();
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  // Replaces `out` by `raw` compressed with `wanted`; falls back to kNone where that is not
  // smaller. zstd_level counts for Codec::kZstd only (negative levels are fast). Returns the codec
  // used.
  Codec compress(std::span<const std::uint8_t> raw, Codec wanted, std::vector<std::uint8_t>& out,
                 int zstd_level = 1);

 private:
  struct Workspace;
  std::unique_ptr<Workspace> workspace_;
};

// Replaces `out`. Requires: raw_bytes <= kMaxRawBytes (checked).
Status decompress(std::span<const std::uint8_t> stored, Codec codec, std::uint32_t raw_bytes,
                  std::vector<std::uint8_t>& out);

}  // namespace spyglass::format
