// SPDX-License-Identifier: Apache-2.0
// byte_reader.h - reads numbers as DWARF encodes them, never beyond the end.
//
//   Errors   past the end, or in an encoding that we don't know: 0, and ok() is false from then on.
#pragma once

#include <cstdint>

#include "recorder/unwind/cfi.h"

namespace spyglass::unwind {

class ByteReader {
 public:
  // `address`: of `begin`, for references relative to where they stand.
  ByteReader(const std::uint8_t* begin, const std::uint8_t* end, std::uint64_t address)
      : at_(begin), end_(end), address_(address) {}
  explicit ByteReader(const View& view) : ByteReader(view.begin, view.end, view.address) {}

  bool ok() const { return ok_; }
  bool done() const { return at_ == end_; }
  std::uint64_t left() const { return static_cast<std::uint64_t>(end_ - at_); }
  std::uint64_t address() const { return address_; }
  const std::uint8_t* at() const { return at_; }

  // Little-endian, of 1 to 8 bytes.
  std::uint64_t fixed(unsigned bytes) {
    if (!take(bytes)) {
      return 0;
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i) {
      value |= std::uint64_t{at_[static_cast<int>(i) - static_cast<int>(bytes)]} << (8 * i);
    }
    return value;
  }
  std::int64_t fixed_signed(unsigned bytes) {
    const unsigned unused = 64 - 8 * bytes;
    return static_cast<std::int64_t>(fixed(bytes) << unused) >> unused;
  }

  std::uint64_t uleb() {
    std::uint64_t value = 0;
    leb(value);
    return value;
  }
  std::int64_t sleb() {
    std::uint64_t value = 0;
    const unsigned bits = leb(value);
    if (bits < 64 && (last_ & 0x40U) != 0) {
      value |= ~std::uint64_t{0} << bits;
    }
    return static_cast<std::int64_t>(value);
  }

  void skip(std::uint64_t bytes) { take(bytes); }
  void fail() {
    ok_ = false;
    at_ = end_;
  }

  // What the next `bytes` bytes hold, and goes past them.
  ByteReader part(std::uint64_t bytes) {
    const std::uint8_t* begin = at_;
    const std::uint64_t address = address_;
    return take(bytes) ? ByteReader(begin, at_, address) : ByteReader(end_, end_, address);
  }

  // A pointer in one of the DW_EH_PE_ encodings; `data_address` is what "data relative" counts
  // from.
  std::uint64_t pointer(std::uint8_t encoding, std::uint64_t data_address);

 private:
  bool take(std::uint64_t bytes) {
    if (bytes > left()) {
      fail();
      return false;
    }
    at_ += bytes;
    address_ += bytes;
    return true;
  }

  // Returns how many bits the encoding filled; at least 64: all.
  unsigned leb(std::uint64_t& value) {
    unsigned shift = 0;
    do {
      last_ = static_cast<std::uint8_t>(fixed(1));
      if (shift < 64) {
        value |= std::uint64_t{last_ & 0x7fU} << shift;
      }
      shift += 7;
    } while (ok_ && (last_ & 0x80U) != 0 && shift < 128);
    return shift;
  }

  const std::uint8_t* at_;
  const std::uint8_t* end_;
  std::uint64_t address_;
  std::uint8_t last_ = 0;
  bool ok_ = true;
};

inline std::uint64_t ByteReader::pointer(std::uint8_t encoding, std::uint64_t data_address) {
  const std::uint64_t own_address = address_;
  std::uint64_t value = 0;
  switch (encoding & 0x0fU) {
    case 0x00:
    case 0x04:
    case 0x0c:
      value = fixed(8);
      break;
    case 0x01:
      value = uleb();
      break;
    case 0x02:
      value = fixed(2);
      break;
    case 0x03:
      value = fixed(4);
      break;
    case 0x09:
      value = static_cast<std::uint64_t>(sleb());
      break;
    case 0x0a:
      value = static_cast<std::uint64_t>(fixed_signed(2));
      break;
    case 0x0b:
      value = static_cast<std::uint64_t>(fixed_signed(4));
      break;
    default:
      fail();
  }
  switch (encoding & 0xf0U) {
    case 0x00:
      return value;
    case 0x10:
      return value + own_address;
    case 0x30:
      return value + data_address;
    default:  // relative to what we don't know, or indirect
      fail();
      return 0;
  }
}

}  // namespace spyglass::unwind
