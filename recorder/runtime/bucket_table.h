// SPDX-License-Identifier: Apache-2.0
// bucket_table.h - the histogram bucket of a duration in ticks, by one look-up and one comparison.
//
// The arithmetic of duration_histogram.h takes no longer, but a compiler may turn its bounds into
// branches, and a branch that depends on a time stamp holds up the next hook's (see record_exit). A
// cell of the table covers one eighth of an octave of ticks, which holds at most one bucket
// boundary.
//
//   Where    target side; filled once when the session begins.
//   Threads  read by all hooks.
#pragma once

#include <bit>
#include <cstdint>

#include "format/duration_histogram.h"

namespace spyglass::runtime {

struct BucketTable {
  static constexpr unsigned kCells = 64 * 8;
  std::uint64_t next_boundary_ticks[kCells];  // first duration of the next bucket
  std::uint8_t bucket[kCells];                // of the cell's first duration
};
extern BucketTable g_bucket_table;

// Requires: ns_per_tick_q64 as in format::ticks_to_ns_q8. Below 8 ticks every duration has its own
// cell, so the result agrees with format::bucket_of_ns_q8 for all.
void fill_bucket_table(std::uint64_t ns_per_tick_q64);

inline unsigned bucket_of_ticks(std::uint64_t ticks) {
  // At least 3. By xor, not by a difference, it is one instruction.
  const auto exponent = static_cast<unsigned>(std::countl_zero(ticks | 8U)) ^ 63U;
  const std::uint64_t cell = (ticks >> (exponent - 3U)) + exponent * 8U - 8U;
  return g_bucket_table.bucket[cell] +
         static_cast<unsigned>(ticks >= g_bucket_table.next_boundary_ticks[cell]);
}

}  // namespace spyglass::runtime
