// SPDX-License-Identifier: Apache-2.0
// checksum.h - XXH3-64. The one use of xxHash.
#pragma once

#include <cstdint>
#include <span>

namespace spyglass::format {

std::uint64_t checksum(std::span<const std::uint8_t> bytes, std::uint64_t seed = 0);

}  // namespace spyglass::format
