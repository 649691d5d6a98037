// SPDX-License-Identifier: Apache-2.0
// option_values.h - the forms in which options take durations, sizes and policies.
//
//   Errors   each says which text it could not read and what it expects.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "format/arena.h"
#include "format/result.h"
#include "recorder/collector/collector_options.h"

namespace spyglass::collector {

// "250ns", "10us", "1.5ms", "2s" to nanoseconds; the unit is required unless the number is 0.
Result<std::uint64_t> parse_duration(std::string_view text);
// "all" to 0, "off" to kSpansOff, else a duration.
Result<std::uint64_t> parse_span_threshold(std::string_view text);
// "4096", "256K", "1M", "2GiB" to bytes.
Result<std::uint64_t> parse_size(std::string_view text);
Result<format::OnFull> parse_on_full(std::string_view text);
// "all", "none" or a list of class names ("lock,read,write") to bits of
// RecordingOptions::operations.
Result<std::uint32_t> parse_operations(std::string_view text);
Result<MemoryChoice> parse_memory(std::string_view text);
std::string on_full_name(format::OnFull policy);
// "auto", "perf", "timer" or "off".
Result<Sampler> parse_sampler(std::string_view text);

}  // namespace spyglass::collector
