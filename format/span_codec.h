// SPDX-License-Identifier: Apache-2.0
// span_codec.h - spans of one thread to bytes and back.
//
//   Where    collector (encode) and reader (decode).
//   Memory   appends to / fills the caller's vectors, whose capacity is reused.
//   Errors   decode rejects anything that is not exactly `records` well-formed spans.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/records.h"
#include "format/result.h"

namespace spyglass::format {

// Appends the columns of `spans`, which stand in the order of their end times.
void encode_spans(std::span<const SpanRecord> spans, std::vector<std::uint8_t>& out);

// Appends exactly `records` spans to `out`; on error `out` is as it was.
Status decode_spans(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<SpanRecord>& out);

}  // namespace spyglass::format
