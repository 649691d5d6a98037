// SPDX-License-Identifier: Apache-2.0
// bytes.h - little-endian numbers and varints, written to and read from bytes.
//
// varint: 7 bits a byte, lowest first, the top bit set on all but the last; at most 10 bytes.
// zigzag: 0, -1, 1, -2 ... become 0, 1, 2, 3 ..., so that small differences stay short either way.
//
//   Where    collector and reader; header-only.
//   Memory   none of its own.
//   Errors   ByteReader never reads past its end: after the first mistake it yields zeros and
//   failed().
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

namespace spyglass::format {

// Structs of sgz.h are copied to the file as they are.
static_assert(std::endian::native == std::endian::little, "recordings are little-endian");

inline constexpr std::size_t kMaxVarintBytes = 10;

constexpr std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1U) ^ (0 - (difference >> 63U));
}
constexpr std::uint64_t unzigzag(std::uint64_t coded) { return (coded >> 1U) ^ (0 - (coded & 1U)); }

// Writes at `out`, which has room for kMaxVarintBytes; returns the end.
inline std::uint8_t* put_varint(std::uint8_t* out, std::uint64_t value) {
  while (value >= 0x80U) {
    *out++ = static_cast<std::uint8_t>(value | 0x80U);
    value >>= 7U;
  }
  *out++ = static_cast<std::uint8_t>(value);
  return out;
}

class ByteWriter {
 public:
  // Appends to `out`, which outlives the writer.
  explicit ByteWriter(std::vector<std::uint8_t>& out) : out_(out) {}

  void varint(std::uint64_t value) {
    if (value < 0x80U) {
      out_.push_back(static_cast<std::uint8_t>(value));
      return;
    }
    std::uint8_t bytes[kMaxVarintBytes];
    raw(bytes, static_cast<std::size_t>(put_varint(bytes, value) - bytes));
  }
  // The difference of two unsigned numbers, either of which may be the greater.
  void difference(std::uint64_t value, std::uint64_t base) { varint(zigzag(value - base)); }
  void raw(const void* bytes, std::size_t size) {
    const auto* first = static_cast<const std::uint8_t*>(bytes);
    out_.insert(out_.end(), first, first + size);
  }
  template <typename T>
  void fixed(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    raw(&value, sizeof value);
  }

 private:
  std::vector<std::uint8_t>& out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::uint8_t> bytes)
      : next_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - next_); }
  bool failed() const { return failed_; }
  // Everything was read, without a mistake.
  bool finished() const { return !failed_ && next_ == end_; }

  std::uint64_t varint() {
    if (next_ != end_ && *next_ < 0x80U) {
      return *next_++;
    }
    return long_varint();
  }
  // A varint that fits in 32 bits.
  std::uint32_t varint32() {
    const std::uint64_t value = varint();
    return value <= UINT32_MAX ? static_cast<std::uint32_t>(value)
                               : static_cast<std::uint32_t>(fail());
  }
  // The counterpart of ByteWriter::difference.
  std::uint64_t difference(std::uint64_t base) { return base + unzigzag(varint()); }
  std::uint32_t difference32(std::uint32_t base) {
    const std::uint64_t value = difference(base);
    return value <= UINT32_MAX ? static_cast<std::uint32_t>(value)
                               : static_cast<std::uint32_t>(fail());
  }
  // The next `size` bytes; empty after a mistake.
  std::span<const std::uint8_t> raw(std::size_t size) {
    if (size > left()) {
      fail();
      return {};
    }
    const std::uint8_t* first = next_;
    next_ += size;
    return {first, size};
  }
  template <typename T>
  T fixed() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    const std::span<const std::uint8_t> bytes = raw(sizeof value);
    if (!bytes.empty()) {
      std::memcpy(&value, bytes.data(), sizeof value);
    }
    return value;
  }
  // Marks the input as malformed; returns 0.
  std::uint64_t fail() {
    failed_ = true;
    next_ = end_;
    return 0;
  }

 private:
  std::uint64_t long_varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && next_ != end_; shift += 7) {
      const std::uint64_t byte = *next_++;
      if (shift == 63 && byte > 1) {
        break;
      }
      value |= (byte & 0x7fU) << shift;
      if (byte < 0x80U) {
        return value;
      }
    }
    return fail();
  }

  const std::uint8_t* next_;
  const std::uint8_t* end_;
  bool failed_ = false;
};

}  // namespace spyglass::format
