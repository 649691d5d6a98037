// SPDX-License-Identifier: Apache-2.0
// quantity.h - times, counts and shares as people read and type them.
//
//   Where    report, diff and tools.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace spyglass {

// "0", "45.2ns", "1.23µs", "12.3ms", "123s", "2.78h": three significant digits.
std::string format_duration(double ns);
// The same with a sign: "+1.20ms", "-3.00s", "0".
std::string format_duration_change(double ns);
std::string format_count(std::uint64_t count);  // "1,234,567"
std::string plural(std::uint64_t count, std::string_view one, std::string_view many);  // "2 calls"
std::string format_count_change(double change);                                        // "+1,234"
std::string format_percent(double share);           // 0.123 -> "12.3%"
std::string format_percent_change(double share);    // "+12.3%", "+1,234%"
std::string format_bytes(std::uint64_t bytes);      // "1.23 MiB"
std::string format_utc(std::uint64_t unix_ns);      // "2026-01-31 12:00:00 UTC"
std::string format_iso8601(std::uint64_t unix_ns);  // "2026-01-31T12:00:00.000000000Z"

// "10ms", "1.5 s", "200us", "200µs", "3ns", "2m"; nothing when it is not that. A unit is required.
std::optional<double> parse_duration_ns(std::string_view text);
// A finite decimal number with nothing after it.
std::optional<double> parse_number(std::string_view text);

struct ParsedRange {
  double start_ns = 0;
  double end_ns = 0;  // infinite for "A.."
};
// "10ms..1s", "10ms..", "..1s"; nothing when it is not that or empty.
std::optional<ParsedRange> parse_time_range(std::string_view text);

}  // namespace spyglass
