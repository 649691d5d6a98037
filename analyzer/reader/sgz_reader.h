// SPDX-License-Identifier: Apache-2.0
// sgz_reader.h - the intact blocks of a recording, in file order.
//
// Damage is no error: bytes that belong to no intact block are skipped, written down in damage(),
// and reading goes on at the next block. Payloads are read only when asked for, so blocks of no
// interest cost one header each.
//
//   Where    analyzer and tools.
//   Threads  one at a time.
//   Memory   one block's payload, whatever the size of the recording.
//   Errors   open() fails on what is no recording; payload() on a damaged payload, which it also
//            writes down in damage().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyzer/reader/input_file.h"
#include "format/result.h"
#include "format/sgz.h"

namespace spyglass {

struct BlockView {
  format::BlockHeader header{};
  std::uint64_t offset = 0;  // of the header in the file
};

// What could not be read: `bytes` may be 0 when whole blocks are missing without a trace.
struct ReaderDamage {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  std::string what;
  bool operator==(const ReaderDamage&) const = default;
};

class SgzReader {
 public:
  static Result<SgzReader> open(const std::string& path);
  // The same for a recording in memory; `bytes` outlives the reader.
  static Result<SgzReader> from_bytes(std::span<const std::uint8_t> bytes);

  const format::FileHeader& header() const { return header_; }
  std::uint64_t file_bytes() const { return file_.bytes(); }

  // Moves to the next block with an intact header; false at the end. Kinds unknown to this version
  // are delivered too. To read only some kinds, look at block.header.kind and don't ask for
  // payloads.
  bool next(BlockView& block);
  // next() begins at the first block again. damage() keeps what it has.
  void rewind();

  // Replaces `raw` by the block's payload, checked and decompressed.
  Status payload(const BlockView& block, std::vector<std::uint8_t>& raw);
  // Only checks the payload's checksum.
  Status check_payload(const BlockView& block);

  // What was found so far, by offset; complete when next() has returned false. A recording without
  // a footer counts as damaged at its end.
  const std::vector<ReaderDamage>& damage() const { return damage_; }
  // Whether the file ends with an intact footer. Without it the recorder was killed or the end of
  // the file is lost.
  bool has_footer() const { return footer_.has_value(); }

 private:
  SgzReader() = default;
  static Result<SgzReader> start(Result<InputFile> file, const std::string& name);
  bool recover_header();
  bool block_at(std::uint64_t offset, BlockView& block) const;
  bool find_block(std::uint64_t from, BlockView& block) const;
  bool resynchronise(BlockView& block);
  bool accept_sequence(const BlockView& block, std::uint64_t skipped_from);
  void finish();
  void add_damage(std::uint64_t offset, std::uint64_t bytes, std::string what);
  Status read_stored(const BlockView& block);

  InputFile file_;
  format::FileHeader header_{};
  std::optional<format::Footer> footer_;
  std::uint64_t seed_ = 0;
  std::uint64_t blocks_end_ = 0;  // where blocks stop: the footer or the end of the file
  std::uint64_t position_ = 0;    // where the next block should begin
  std::uint64_t next_sequence_ = 0;
  std::optional<BlockView> last_;
  std::uint64_t retry_budget_bytes_ = 0;  // for looking into damaged payloads, see resynchronise()
  std::vector<ReaderDamage> damage_;
  std::vector<std::uint8_t> stored_;
};

}  // namespace spyglass
