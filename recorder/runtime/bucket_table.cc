// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/bucket_table.h"

namespace spyglass::runtime {

constinit BucketTable g_bucket_table = {};

namespace {

constexpr std::uint64_t kLongest = std::uint64_t{1}
                                   << 55U;  // ticks; beyond, everything is the last bucket

unsigned exact_bucket(std::uint64_t ticks, std::uint64_t ns_per_tick_q64) {
  return ticks >= kLongest
             ? format::kHistogramBuckets - 1
             : format::bucket_of_ns_q8(format::ticks_to_ns_q8(ticks, ns_per_tick_q64));
}

// The first duration in [first, last] whose bucket is not that of `first`; last + 1 if there is
// none.
std::uint64_t find_boundary(std::uint64_t first, std::uint64_t last,
                            std::uint64_t ns_per_tick_q64) {
  const unsigned bucket = exact_bucket(first, ns_per_tick_q64);
  std::uint64_t low = first;
  std::uint64_t high = last + 1;
  while (low + 1 < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (exact_bucket(middle, ns_per_tick_q64) == bucket) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return high;
}

}  // namespace

void fill_bucket_table(std::uint64_t ns_per_tick_q64) {
  for (unsigned ticks = 0; ticks < 8; ++ticks) {
    g_bucket_table.bucket[2 * 8 + ticks] =
        static_cast<std::uint8_t>(exact_bucket(ticks, ns_per_tick_q64));
    g_bucket_table.next_boundary_ticks[2 * 8 + ticks] = kLongest;
  }
  for (unsigned cell = 2 * 8 + 8; cell < BucketTable::kCells; ++cell) {
    const unsigned shift = cell / 8U - 3U;
    const std::uint64_t first = (std::uint64_t{8} + cell % 8U) << shift;
    const std::uint64_t last = first + ((std::uint64_t{1} << shift) - 1);
    g_bucket_table.bucket[cell] = static_cast<std::uint8_t>(exact_bucket(first, ns_per_tick_q64));
    g_bucket_table.next_boundary_ticks[cell] = find_boundary(first, last, ns_per_tick_q64);
  }
  // No number is past the end of the last cell, where a clock that ran backwards leads: say so from
  // below, or these durations would come out one bucket past the last.
  g_bucket_table.bucket[BucketTable::kCells - 1] = format::kHistogramBuckets - 2;
  g_bucket_table.next_boundary_ticks[BucketTable::kCells - 1] = 0;
}

}  // namespace spyglass::runtime
