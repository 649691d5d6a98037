// SPDX-License-Identifier: Apache-2.0
// event_codec.h - events of one thread to bytes and back: varint columns, then all texts.
//
//   Where    collector (encode) and reader (decode).
//   Errors   decode rejects anything that is not exactly `records` well-formed events.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/records.h"
#include "format/result.h"

namespace spyglass::format {

// Appends the columns of `events`, which stand in the order of their end times.
void encode_events(std::span<const EventRecord> events, std::vector<std::uint8_t>& out);

// Appends exactly `records` events to `out`; on error `out` is as it was. Kinds of later versions
// pass.
Status decode_events(std::span<const std::uint8_t> payload, std::uint32_t records,
                     std::vector<EventRecord>& out);

}  // namespace spyglass::format
