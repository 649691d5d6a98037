// SPDX-License-Identifier: Apache-2.0
// block_check.h - whether a block's payload is what its header says, all the way to its records.
//
//   Where    spyglass verify, fuzzers.
#pragma once

#include <cstdint>
#include <span>

#include "format/result.h"
#include "format/sgz.h"

namespace spyglass {

// Decodes and forgets. Kinds of later versions pass.
Status check_records(const format::BlockHeader& header, std::span<const std::uint8_t> raw);

}  // namespace spyglass
