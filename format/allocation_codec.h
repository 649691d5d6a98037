// SPDX-License-Identifier: Apache-2.0
// allocation_codec.h - allocations and frees of one thread, and what processes had resident, to
// bytes and back.
//
//   Where    collector (encode) and reader (decode).
//   Memory   appends to / fills the caller's vectors, whose capacity is reused.
//   Errors   decode rejects anything that is not exactly `records` well-formed records. Kinds of
//            later versions pass.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/records.h"
#include "format/result.h"

namespace spyglass::format {

// Appends the columns of `records`, which stand in the order of their times.
void encode_allocations(std::span<const AllocationRecord> records, std::vector<std::uint8_t>& out);
void encode_resident(std::span<const ResidentRecord> records, std::vector<std::uint8_t>& out);

// Each appends exactly `records` records to `out`; on error `out` is as it was.
Status decode_allocations(std::span<const std::uint8_t> payload, std::uint32_t records,
                          std::vector<AllocationRecord>& out);
Status decode_resident(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<ResidentRecord>& out);

}  // namespace spyglass::format
