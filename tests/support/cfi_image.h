// SPDX-License-Identifier: Apache-2.0
// cfi_image.h - hand-made unwinding tables.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "recorder/unwind/cfi.h"

namespace spyglass {

// One CIE, with code factor 1, data factor -8 and 4-byte relative pointers; functions in ascending
// order.
class CfiImage {
 public:
  CfiImage(std::string_view augmentation, std::span<const std::uint8_t> instructions) {
    std::vector<std::uint8_t> cie = {0, 0, 0, 0, 1};
    cie.insert(cie.end(), augmentation.begin(), augmentation.end());
    cie.insert(cie.end(), {0, 1, 0x78, 16});
    std::vector<std::uint8_t> data;
    for (const char letter : augmentation.substr(1)) {
      switch (letter) {
        case 'R':
          data.push_back(kEncoding);
          break;
        case 'P':
          data.insert(data.end(), {kEncoding, 1, 2, 3, 4});
          break;
        case 'L':
          data.push_back(kEncoding);
          break;
        default:
          break;
      }
    }
    cie.push_back(static_cast<std::uint8_t>(data.size()));
    cie.insert(cie.end(), data.begin(), data.end());
    cie.insert(cie.end(), instructions.begin(), instructions.end());
    add_record(cie);
  }

  void add_function(std::uint64_t begin, std::uint32_t bytes,
                    std::span<const std::uint8_t> instructions) {
    const std::uint64_t fde = kFramesAddress + frames_.size();
    std::vector<std::uint8_t> record;
    put(record, static_cast<std::uint32_t>(frames_.size() + 4));
    put(record, static_cast<std::uint32_t>(begin - (fde + 8)));
    put(record, bytes);
    record.push_back(0);
    record.insert(record.end(), instructions.begin(), instructions.end());
    add_record(record);
    put(rows_, static_cast<std::uint32_t>(begin - kHeaderAddress));
    put(rows_, static_cast<std::uint32_t>(fde - kHeaderAddress));
  }
  void add_function(std::uint64_t begin, std::uint32_t bytes,
                    std::initializer_list<std::uint8_t> instructions) {
    add_function(begin, bytes, std::span(instructions.begin(), instructions.size()));
  }

  // Valid until the next call of a member.
  unwind::Tables tables(bool with_search_table = true) {
    constexpr std::uint8_t kOmitted = 0xff;
    header_ = {1, kEncoding, kOmitted, kOmitted};
    put(header_, static_cast<std::uint32_t>(kFramesAddress - (kHeaderAddress + 4)));
    if (with_search_table) {
      header_[2] = 0x03;
      header_[3] = 0x3b;
      put(header_, static_cast<std::uint32_t>(rows_.size() / 8));
      header_.insert(header_.end(), rows_.begin(), rows_.end());
    }
    return {{header_.data(), header_.data() + header_.size(), kHeaderAddress},
            {frames_.data(), frames_.data() + frames_.size(), kFramesAddress}};
  }

 private:
  static constexpr std::uint8_t kEncoding = 0x1b;  // 4 bytes, signed, relative to where they stand
  static constexpr std::uint64_t kHeaderAddress = 0x500000;
  static constexpr std::uint64_t kFramesAddress = 0x510000;

  static void put(std::vector<std::uint8_t>& to, std::uint32_t value) {
    for (unsigned i = 0; i < 4; ++i) {
      to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
  }
  void add_record(const std::vector<std::uint8_t>& record) {
    put(frames_, static_cast<std::uint32_t>(record.size()));
    frames_.insert(frames_.end(), record.begin(), record.end());
  }

  std::vector<std::uint8_t> header_;
  std::vector<std::uint8_t> frames_;
  std::vector<std::uint8_t> rows_;
};

}  // namespace spyglass
