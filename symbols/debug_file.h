// SPDX-License-Identifier: Apache-2.0
// debug_file.h - where the separate debug file of an ELF file can be. Local paths only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace spyglass {

// In order of preference. `debug_link` is the name in .gnu_debuglink, or empty.
std::vector<std::string> debug_file_candidates(const std::string& path,
                                               std::span<const std::uint8_t> build_id,
                                               const std::string& debug_link);

// CRC-32 of the bytes that can be read from `descriptor`, as .gnu_debuglink defines it.
std::uint32_t debug_link_checksum(int descriptor);

}  // namespace spyglass
