// SPDX-License-Identifier: Apache-2.0
// profile_builder.h - a recording to a Profile, in one pass over its blocks.
//
//   Where    analyzer.
//   Memory   see profile.h; span blocks are skipped unless a time range needs them.
//   Errors   unreadable file; damage inside the file is reported in Profile::damage.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "analyzer/model/profile.h"
#include "format/result.h"

namespace spyglass {

// From the start of the session.
struct TimeRange {
  double start_ns = 0;
  double end_ns = 0;
};

struct ProfileOptions {
  std::optional<TimeRange> range;
  bool from_spans = false;  // compute calls, times and percentiles from spans instead of counters
  bool resolve_missing = true;         // look up names in local files where the recording has none
  bool heap = true;                    // go through allocations one by one
  std::optional<double> heap_at_ns{};  // when to take the heap's inventory; else at the end
  std::vector<std::string> suppressions{};  // of leaks, see heap_suppressions.h
};

Result<Profile> build_profile(const std::string& path, const ProfileOptions& options);

// The same for a recording in memory; `name` becomes Profile::file.
Result<Profile> build_profile_from_bytes(std::span<const std::uint8_t> bytes,
                                         const std::string& name, const ProfileOptions& options);

}  // namespace spyglass
