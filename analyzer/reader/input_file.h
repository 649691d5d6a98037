// SPDX-License-Identifier: Apache-2.0
// input_file.h - random access to the bytes of a file, or of memory.
//
// Reads with pread instead of mapping: memory stays flat however large the file is, and a file that
// shrinks while it is read gives short reads, not SIGBUS.
//
//   Where    analyzer/reader.
//   Errors   open() says why; read() returns fewer bytes than asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "format/result.h"

namespace spyglass {

class InputFile {
 public:
  InputFile() = default;
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  static Result<InputFile> open(const std::string& path);
  // `bytes` outlives the file.
  static InputFile from_bytes(std::span<const std::uint8_t> bytes);

  // Size when opened.
  std::uint64_t bytes() const { return bytes_; }

  // Fills `out` from `offset` on; returns how many bytes there were.
  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) const;

 private:
  int descriptor_ = -1;
  std::uint64_t bytes_ = 0;
  std::span<const std::uint8_t> memory_;
};

}  // namespace spyglass
