// SPDX-License-Identifier: Apache-2.0
#include "symbols/debug_file.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>

namespace spyglass {
namespace {

constexpr const char* kDebugRoot = "/usr/lib/debug";

constexpr std::array<std::uint32_t, 256> crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xedb88320U : 0U);
    }
    table[i] = value;
  }
  return table;
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

std::vector<std::string> debug_file_candidates(const std::string& path,
                                               std::span<const std::uint8_t> build_id,
                                               const std::string& debug_link) {
  std::vector<std::string> candidates;
  if (build_id.size() >= 2) {
    candidates.push_back(std::string(kDebugRoot) + "/.build-id/" + hex(build_id.first(1)) + "/" +
                         hex(build_id.subspan(1)) + ".debug");
  }
  // A link is a bare file name; anything with a path in it would let a file choose what we open.
  if (debug_link.empty() || debug_link.find('/') != std::string::npos) {
    return candidates;
  }
  std::error_code failed;
  const std::filesystem::path whole = std::filesystem::canonical(path, failed);
  if (failed) {
    return candidates;
  }
  const std::string folder = whole.parent_path().string();
  for (const std::string& candidate : {folder + "/" + debug_link, folder + "/.debug/" + debug_link,
                                       kDebugRoot + folder + "/" + debug_link}) {
    if (candidate != whole.string()) {
      candidates.push_back(candidate);
    }
  }
  return candidates;
}

std::uint32_t debug_link_checksum(int descriptor) {
  static constexpr std::array<std::uint32_t, 256> kTable = crc_table();
  std::uint32_t crc = ~0U;
  std::vector<std::uint8_t> buffer(256U << 10U);
  off_t offset = 0;
  for (;;) {
    const ssize_t got = pread(descriptor, buffer.data(), buffer.size(), offset);
    if (got <= 0) {
      return ~crc;
    }
    offset += got;
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
      crc = kTable[(crc ^ buffer[i]) & 0xffU] ^ (crc >> 8U);
    }
  }
}

}  // namespace spyglass
