// SPDX-License-Identifier: Apache-2.0
// duration_histogram.h - the bucket layout of duration histograms.
//
// OpenTelemetry's base-2 exponential histogram at scale 2: bucket i holds nanoseconds in
// [2^(i/4), 2^((i+1)/4)), four buckets to the octave, so a quantile read from it is within
// 2^(1/8) - 1 = 9.1 % of the true value. (OpenTelemetry closes buckets at the upper end; the two
// differ only for exact powers of two.) Below 1 ns goes to bucket 0, above 2^48 ns (3.3 days) to
// the last.
//
//   Where    hooks and analyzer alike; header-only.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace spyglass::format {

inline constexpr unsigned kHistogramScale = 2;
inline constexpr unsigned kHistogramOctaves = 48;
inline constexpr unsigned kHistogramBuckets = kHistogramOctaves * 4;

// Nanoseconds of `ticks` in 1/256 ns. ns_per_tick_q64 is below 2^64: ticks shorter than a
// nanosecond. Requires: ticks < 2^56; what is above comes out as something large or as anything
// (see the last bucket).
constexpr std::uint64_t ticks_to_ns_q8(std::uint64_t ticks, std::uint64_t ns_per_tick_q64) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(ticks << 8U) * ns_per_tick_q64) >> 64U);
}

// Bucket of a duration given in 1/256 ns.
constexpr unsigned bucket_of_ns_q8(std::uint64_t ns_q8) {
  const std::uint64_t value = ns_q8 < 0x100U ? 0x100U : ns_q8;  // at least 1 ns
  const auto leading = static_cast<unsigned>(std::countl_zero(value));
  const auto mantissa = static_cast<std::uint32_t>((value << leading) >> 32U);  // top bit set
  // 2^31 times 2^(1/4), 2^(2/4), 2^(3/4), rounded up.
  const unsigned quarter = static_cast<unsigned>(mantissa >= 0x9837F052U) +
                           static_cast<unsigned>(mantissa >= 0xB504F334U) +
                           static_cast<unsigned>(mantissa >= 0xD744FCCBU);
  const unsigned bucket = (55U - leading) * 4U + quarter;
  return bucket < kHistogramBuckets ? bucket : kHistogramBuckets - 1;
}

// Lower bound of `bucket` in nanoseconds.
inline double bucket_lower_ns(unsigned bucket) { return std::exp2(bucket / 4.0); }
// The value that stands for the bucket: its geometric middle.
inline double bucket_middle_ns(unsigned bucket) { return std::exp2((bucket + 0.5) / 4.0); }

}  // namespace spyglass::format
