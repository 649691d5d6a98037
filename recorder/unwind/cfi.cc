// SPDX-License-Identifier: Apache-2.0
#include "recorder/unwind/cfi.h"

#include "recorder/unwind/byte_reader.h"
#include "recorder/unwind/cfi_program.h"

namespace spyglass::unwind {
namespace {

constexpr std::uint8_t kOmitted = 0xff;
// The only encodings that linkers write for the search table: 4 bytes relative to the header.
constexpr std::uint8_t kTableEncoding = 0x3b;
constexpr std::uint64_t kTableRowBytes = 8;
constexpr std::uint8_t kFormatMask = 0x0f;
constexpr std::uint32_t kLongLength = 0xfffffff0;  // from here on: a 64-bit length or reserved
constexpr std::uint64_t kReturnAddressColumn = 16;
constexpr std::uint64_t kMaxAugmentationBytes = 16;
constexpr std::uint64_t kMaxWalked = std::uint64_t{1} << 20U;  // entries; bounds time

bool from_address(const View& view, std::uint64_t address, ByteReader& reader) {
  const auto bytes = static_cast<std::uint64_t>(view.end - view.begin);
  const std::uint64_t offset = address - view.address;
  if (offset > bytes) {
    return false;
  }
  reader = {view.begin + offset, view.end, address};
  return true;
}

// What a length word at `reader` governs; false at the end of the list or in a form that is not
// used. `reader` goes on after it.
bool next_record(ByteReader& reader, ByteReader& record) {
  const auto bytes = static_cast<std::uint32_t>(reader.fixed(4));
  if (!reader.ok() || bytes == 0 || bytes >= kLongLength) {
    return false;
  }
  record = reader.part(bytes);
  return reader.ok();
}

// Reads what the CIE's augmentation string promises.
bool read_augmentation(ByteReader& cie, ByteReader letters, FrameEntry& entry) {
  if (letters.done()) {
    return true;
  }
  if (letters.fixed(1) != 'z') {
    return false;
  }
  ByteReader data = cie.part(cie.uleb());
  while (!letters.done()) {
    switch (letters.fixed(1)) {
      case 'R':
        entry.pointer_encoding = static_cast<std::uint8_t>(data.fixed(1));
        break;
      case 'P': {
        const auto encoding = static_cast<std::uint8_t>(data.fixed(1));
        data.pointer(encoding & kFormatMask, 0);  // only its size matters
        break;
      }
      case 'L':
        data.fixed(1);
        break;
      case 'S':
        entry.signal_frame = true;
        break;
      case 'B':
        break;
      default:
        return false;
    }
  }
  return cie.ok() && data.ok();
}

bool read_cie(ByteReader cie, FrameEntry& entry, bool& augmented) {
  const bool is_cie = cie.fixed(4) == 0;
  const std::uint64_t version = cie.fixed(1);
  if (!is_cie || (version != 1 && version != 3)) {
    return false;
  }
  const std::uint8_t* letters = cie.at();
  std::uint64_t letter_count = 0;
  while (cie.fixed(1) != 0) {
    letter_count += 1;
    if (letter_count > kMaxAugmentationBytes) {
      return false;
    }
  }
  entry.code_factor = cie.uleb();
  entry.data_factor = cie.sleb();
  const std::uint64_t column = version == 1 ? cie.fixed(1) : cie.uleb();
  augmented = letter_count != 0;
  if (!cie.ok() || column != kReturnAddressColumn ||
      !read_augmentation(cie, {letters, letters + letter_count, 0}, entry)) {
    return false;
  }
  entry.first_instructions = cie;
  return true;
}

// Reads an FDE after its length word; `fde` begins with the distance back to the CIE.
bool read_fde(const View& frames, ByteReader fde, FrameEntry& entry) {
  const std::uint64_t here = fde.address();
  const std::uint64_t distance = fde.fixed(4);
  ByteReader at_cie{nullptr, nullptr, 0};
  ByteReader cie{nullptr, nullptr, 0};
  bool augmented = false;
  if (distance == 0 || !from_address(frames, here - distance, at_cie) ||
      !next_record(at_cie, cie) || !read_cie(cie, entry, augmented)) {
    return false;
  }
  entry.begin = fde.pointer(entry.pointer_encoding, entry.data_address);
  entry.end = entry.begin + fde.pointer(entry.pointer_encoding & kFormatMask, 0);
  if (augmented) {
    fde.skip(fde.uleb());
  }
  entry.instructions = fde;
  return fde.ok();
}

FrameEntry new_entry(const Tables& tables) {
  const ByteReader nothing{nullptr, nullptr, 0};
  return {nothing, nothing, 0, 0, 0, 0, tables.header.address, 0, false};
}

bool covers(const FrameEntry& entry, std::uint64_t pc) {
  return pc >= entry.begin && pc < entry.end;
}

// Reads the FDE at `address`. False if it isn't `pc`'s.
bool read_entry(const Tables& tables, std::uint64_t address, std::uint64_t pc, FrameEntry& entry) {
  ByteReader reader{nullptr, nullptr, 0};
  ByteReader fde{nullptr, nullptr, 0};
  entry = new_entry(tables);
  return from_address(tables.frames, address, reader) && next_record(reader, fde) &&
         read_fde(tables.frames, fde, entry) && covers(entry, pc);
}

struct SearchTable {
  const std::uint8_t* rows;  // (function, FDE), both relative to the header
  std::uint64_t count;

  std::int64_t cell(std::uint64_t row, unsigned column) const {
    std::int32_t value = 0;
    __builtin_memcpy(&value, rows + row * kTableRowBytes + column * sizeof(value), sizeof(value));
    return value;
  }
};

bool search(const Tables& tables, const SearchTable& table, std::uint64_t pc, FrameEntry& entry) {
  const auto wanted = static_cast<std::int64_t>(pc - tables.header.address);
  std::uint64_t low = 0;
  std::uint64_t high = table.count;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (table.cell(middle, 0) <= wanted) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == 0) {
    return false;
  }
  const std::uint64_t fde =
      tables.header.address + static_cast<std::uint64_t>(table.cell(low - 1, 1));
  return read_entry(tables, fde, pc, entry);
}

// For the rare file without a search table.
bool walk(const Tables& tables, std::uint64_t frames_address, std::uint64_t pc, FrameEntry& entry) {
  ByteReader reader{nullptr, nullptr, 0};
  if (!from_address(tables.frames, frames_address, reader)) {
    return false;
  }
  ByteReader record{nullptr, nullptr, 0};
  for (std::uint64_t walked = 0; walked < kMaxWalked && next_record(reader, record); ++walked) {
    entry = new_entry(tables);
    if (read_fde(tables.frames, record, entry) && covers(entry, pc)) {
      return true;
    }
  }
  return false;
}

bool find_entry(const Tables& tables, std::uint64_t pc, FrameEntry& entry) {
  ByteReader header(tables.header);
  const std::uint64_t version = header.fixed(1);
  const auto frames_encoding = static_cast<std::uint8_t>(header.fixed(1));
  const auto count_encoding = static_cast<std::uint8_t>(header.fixed(1));
  const auto table_encoding = static_cast<std::uint8_t>(header.fixed(1));
  const std::uint64_t frames = header.pointer(frames_encoding, tables.header.address);
  if (!header.ok() || version != 1) {
    return false;
  }
  if (count_encoding == kOmitted || table_encoding != kTableEncoding) {
    return walk(tables, frames, pc, entry);
  }
  const std::uint64_t count = header.pointer(count_encoding, tables.header.address);
  const std::uint64_t room = header.left() / kTableRowBytes;
  return search(tables, {header.at(), count < room ? count : room}, pc, entry);
}

}  // namespace

Rule find_rule(const Tables& tables, std::uint64_t pc) {
  FrameEntry entry = new_entry(tables);
  return find_entry(tables, pc, entry) ? run_program(entry, pc) : kUnknownRule;
}

bool has_entry(const Tables& tables, std::uint64_t pc) {
  FrameEntry entry = new_entry(tables);
  return find_entry(tables, pc, entry);
}

std::uint64_t entry_begin(const Tables& tables, std::uint64_t pc) {
  FrameEntry entry = new_entry(tables);
  return find_entry(tables, pc, entry) ? entry.begin : 0;
}

}  // namespace spyglass::unwind
