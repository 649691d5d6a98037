// SPDX-License-Identifier: Apache-2.0
// sgz_writer.h - blocks to the file, in order, so that it can be read after every one of them.
//
// Guarantees:
//  - the file exists only if it did not before (or was to be replaced), is 0600 and no symbolic
//  link;
//  - a block is in the file whole or not at all: after a failed write the file is cut back;
//  - space for the closing blocks is reserved ahead, so a full disk costs spans, not the summary.
//
//   Where    collector.
//   Threads  one at a time.
//   Errors   append() returns false: the caller counts what was lost and may try again later.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "format/compression.h"
#include "format/result.h"
#include "format/sgz.h"
#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

struct BlockContent {
  format::BlockKind kind = format::BlockKind::kSession;
  std::span<const std::uint8_t> raw;
  std::uint32_t records = 0;
  std::uint32_t thread = 0;
  std::uint64_t first_ticks = 0;
  std::uint64_t last_ticks = 0;
  format::Codec codec = format::Codec::kZstd;
};

class SgzWriter {
 public:
  static Result<SgzWriter> create(const std::string& path, bool replace,
                                  std::uint64_t started_unix_ns);

  bool append(const BlockContent& content);
  // Index and footer. False: the file stays without, readable all the same.
  bool close();
  // From now on blocks may use the reserved space.
  void begin_closing() { closing_ = true; }

  const std::string& path() const { return path_; }
  std::uint64_t bytes() const { return offset_; }
  // Blocks that could not be written, and why the last of them could not.
  std::uint64_t failed_blocks() const { return failed_blocks_; }
  const std::string& failure() const { return failure_; }

 private:
  SgzWriter(UniqueFd fd, std::string path, const format::FileHeader& header);
  bool write_all(std::span<const std::uint8_t> bytes);
  bool reserve(std::uint64_t bytes);
  void fail(int error);

  UniqueFd fd_;
  std::string path_;
  std::uint64_t seed_ = 0;
  std::uint64_t offset_ = 0;          // where the next block goes
  std::uint64_t reserved_bytes_ = 0;  // of the file, from its start
  std::uint64_t sequence_ = 0;
  std::uint64_t failed_blocks_ = 0;
  std::string failure_;
  bool can_reserve_ = true;
  bool closing_ = false;
  std::unique_ptr<format::Compressor> compressor_;
  std::vector<std::uint8_t> stored_;
  std::vector<std::uint8_t> sealed_;
  std::vector<format::IndexEntry> index_;
};

}  // namespace spyglass::collector
