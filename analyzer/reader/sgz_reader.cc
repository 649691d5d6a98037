// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/sgz_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "format/block.h"
#include "format/compression.h"

namespace spyglass {
namespace {

using format::BlockHeader;
using format::FileHeader;
using format::Footer;

constexpr std::size_t kScanChunkBytes = 256U << 10U;
constexpr std::size_t kMaxDamageRecords = 10'000;

std::string block_range(std::uint64_t first, std::uint64_t end) {
  if (end - first == 1) {
    return "block " + std::to_string(first) + " is missing";
  }
  return "blocks " + std::to_string(first) + " to " + std::to_string(end - 1) + " are missing";
}

// Calls try_at(offset) for every place from `from` on where a block's magic stands, until it says
// true; false when there is none before `end`.
template <typename TryAt>
bool scan_for_magic(const InputFile& file, std::uint64_t from, std::uint64_t end, TryAt try_at) {
  constexpr std::size_t kMagicBytes = sizeof format::kBlockMagic;
  if (from >= end) {
    return false;
  }
  std::vector<std::uint8_t> chunk(
      std::min<std::uint64_t>(kScanChunkBytes, end - from + kMagicBytes));
  while (from < end) {
    const std::size_t got = file.read(from, chunk);
    const std::uint8_t* at = chunk.data();
    const std::uint8_t* const chunk_end = at + got;
    while (true) {
      const auto left = static_cast<std::size_t>(chunk_end - at);
      const void* found = memmem(at, left, &format::kBlockMagic, kMagicBytes);
      if (found == nullptr) {
        break;
      }
      at = static_cast<const std::uint8_t*>(found);
      const std::uint64_t offset = from + static_cast<std::uint64_t>(at - chunk.data());
      if (offset >= end) {
        return false;
      }
      if (try_at(offset)) {
        return true;
      }
      ++at;
    }
    if (got < chunk.size()) {
      return false;
    }
    from += got - (kMagicBytes - 1);  // a magic may lie across the chunk's end
  }
  return false;
}

}  // namespace

Result<SgzReader> SgzReader::open(const std::string& path) {
  return start(InputFile::open(path), "cannot read '" + path + "'");
}

Result<SgzReader> SgzReader::from_bytes(std::span<const std::uint8_t> bytes) {
  return start(InputFile::from_bytes(bytes), "cannot read from memory");
}

Result<SgzReader> SgzReader::start(Result<InputFile> file, const std::string& name) {
  if (!file) {
    return file.error();
  }
  SgzReader reader;
  reader.file_ = std::move(*file);
  std::uint8_t first[sizeof(FileHeader)];
  const std::size_t got = reader.file_.read(0, first);
  Result<FileHeader> header = format::check_file_header({first, got});
  if (header) {
    reader.header_ = *header;
    reader.seed_ = format::block_seed(*header);
  } else if (header.error().kind == ErrorKind::kFormat && got == sizeof first &&
             std::ranges::equal(format::kFileMagic, std::span(first).first(8))) {
    return Error{ErrorKind::kFormat, name + ": " + header.error().what};  // another version
  } else if (!reader.recover_header()) {
    return Error{header.error().kind, name + ": " + header.error().what, header.error().offset};
  }

  reader.blocks_end_ = reader.file_bytes();
  if (reader.file_bytes() >= reader.header_.header_bytes + sizeof(Footer)) {
    std::uint8_t last[sizeof(Footer)];
    const std::uint64_t offset = reader.file_bytes() - sizeof last;
    reader.footer_ = format::check_footer({last, reader.file_.read(offset, last)}, reader.seed_);
    if (reader.footer_) {
      reader.blocks_end_ = offset;
    }
  }
  reader.rewind();
  return reader;
}

// The file header only says which seed the blocks' checksums have. If one of its bytes is damaged,
// the first block tells which seed it was.
bool SgzReader::recover_header() {
  constexpr std::uint64_t kSearchBytes = 1U << 20U;
  constexpr unsigned kMaxTries = 2;  // the second in case the first block is damaged, too
  std::uint8_t first[sizeof(FileHeader)];
  if (file_.read(0, first) < sizeof first) {
    return false;
  }
  std::memcpy(&header_, first, sizeof header_);
  header_.header_bytes = sizeof header_;
  const auto try_seed = [&](std::uint64_t offset) {
    std::uint8_t block[sizeof(BlockHeader)];
    const std::size_t got = file_.read(offset, block);
    const std::uint64_t seed = format::block_seed(header_);
    for (unsigned shift = 0; shift < 64; shift += 8) {
      for (std::uint64_t change = 0; change < 256; ++change) {
        seed_ = seed ^ (change << shift);
        if (format::check_block_header({block, got}, seed_)) {
          return true;
        }
      }
    }
    return false;
  };
  unsigned tries = 0;
  bool found = false;
  scan_for_magic(file_, sizeof first, std::min(file_bytes(), kSearchBytes),
                 [&](std::uint64_t offset) {
                   found = try_seed(offset);
                   return found || ++tries == kMaxTries;
                 });
  if (found) {
    std::memcpy(header_.uuid, &seed_, sizeof seed_);
    add_damage(0, sizeof first, "the file header is damaged");
  }
  return found;
}

void SgzReader::rewind() {
  position_ = header_.header_bytes;
  next_sequence_ = 0;
  last_.reset();
  retry_budget_bytes_ = 4 * file_bytes();
}

bool SgzReader::block_at(std::uint64_t offset, BlockView& block) const {
  std::uint8_t bytes[sizeof(BlockHeader)];
  if (offset >= blocks_end_ || blocks_end_ - offset < sizeof bytes) {
    return false;
  }
  const auto header = format::check_block_header({bytes, file_.read(offset, bytes)}, seed_);
  // The last block may lack its padding.
  if (!header || header->stored_bytes > blocks_end_ - offset - sizeof bytes) {
    return false;
  }
  block = {*header, offset};
  return true;
}

bool SgzReader::find_block(std::uint64_t from, BlockView& block) const {
  return scan_for_magic(file_, from, blocks_end_,
                        [&](std::uint64_t offset) { return block_at(offset, block); });
}

// There is no block at position_. If bytes are missing in or after the last block's payload, its
// header sent us too far: its padding is searched as well, and its payload if it fails its
// checksum. The budget keeps a file made of overlapping blocks from costing the square of its size.
bool SgzReader::resynchronise(BlockView& block) {
  std::uint64_t from = position_;
  if (last_ && retry_budget_bytes_ >= last_->header.stored_bytes) {
    retry_budget_bytes_ -= last_->header.stored_bytes;
    from = last_->offset + sizeof(BlockHeader);
    if (check_payload(*last_)) {
      from += last_->header.stored_bytes;
    }
  }
  return find_block(from, block);
}

bool SgzReader::next(BlockView& block) {
  while (position_ < blocks_end_) {
    const std::uint64_t expected = position_;
    if (!block_at(position_, block) && !resynchronise(block)) {
      position_ = blocks_end_;
      add_damage(expected, blocks_end_ - expected, "no intact block here");
      break;
    }
    last_ = block;
    position_ = std::min(block.offset + format::block_bytes(block.header), blocks_end_);
    if (accept_sequence(block, expected)) {
      return true;
    }
  }
  finish();
  return false;
}

// Writes down what is missing between the block before and this one. False for a block that was
// there already.
bool SgzReader::accept_sequence(const BlockView& block, std::uint64_t expected) {
  const std::uint64_t sequence = block.header.sequence;
  const std::uint64_t skipped = block.offset > expected ? block.offset - expected : 0;
  if (sequence < next_sequence_) {
    add_damage(expected, skipped + format::block_bytes(block.header),
               "block " + std::to_string(sequence) + " again");
    return false;
  }
  if (sequence > next_sequence_) {
    add_damage(expected, skipped, block_range(next_sequence_, sequence));
  } else if (skipped > 0) {
    add_damage(expected, skipped, "no intact block here");
  }
  next_sequence_ = sequence + 1;
  return true;
}

void SgzReader::finish() {
  if (!footer_) {
    add_damage(file_bytes(), 0, "no footer: recording was cut short or its end is lost");
  } else if (footer_->blocks > next_sequence_) {
    add_damage(blocks_end_, 0, block_range(next_sequence_, footer_->blocks));
  }
}

void SgzReader::add_damage(std::uint64_t offset, std::uint64_t bytes, std::string what) {
  const ReaderDamage damage{offset, bytes, std::move(what)};
  const auto first = std::ranges::lower_bound(damage_, offset, {}, &ReaderDamage::offset);
  const auto last = std::ranges::upper_bound(damage_, offset, {}, &ReaderDamage::offset);
  if (std::find(first, last, damage) == last && damage_.size() < kMaxDamageRecords) {
    damage_.insert(last, damage);
  }
}

Status SgzReader::read_stored(const BlockView& block) {
  stored_.resize(format::block_bytes(block.header) - sizeof(BlockHeader));
  stored_.resize(file_.read(block.offset + sizeof(BlockHeader), stored_));
  const std::size_t payload = std::min<std::size_t>(block.header.stored_bytes, stored_.size());
  const auto padding = std::span(stored_).subspan(payload);
  const bool zero = std::ranges::all_of(padding, [](std::uint8_t byte) { return byte == 0; });
  if (!zero && block.offset + sizeof(BlockHeader) + stored_.size() <= blocks_end_) {
    add_damage(block.offset + sizeof(BlockHeader) + payload, padding.size(),
               "padding is not zero; nothing is lost");
  }
  stored_.resize(payload);
  if (format::check_block_payload(block.header, stored_)) {
    return Unit{};
  }
  return Error{ErrorKind::kDamaged, "a payload fails its checksum", block.offset};
}

Status SgzReader::check_payload(const BlockView& block) {
  Status status = read_stored(block);
  if (!status) {
    add_damage(block.offset, format::block_bytes(block.header), status.error().what);
  }
  return status;
}

Status SgzReader::payload(const BlockView& block, std::vector<std::uint8_t>& raw) {
  raw.clear();
  Status status = check_payload(block);
  if (!status) {
    return status;
  }
  status = format::decompress(stored_, block.header.codec, block.header.raw_bytes, raw);
  if (!status) {
    add_damage(block.offset, format::block_bytes(block.header), status.error().what);
    return Error{status.error().kind, status.error().what, block.offset};
  }
  return status;
}

}  // namespace spyglass
