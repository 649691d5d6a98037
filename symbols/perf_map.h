// SPDX-License-Identifier: Apache-2.0
// perf_map.h - functions that a just-in-time compiler made, from the file it keeps for profilers:
// /tmp/perf-PID.map, lines of "START SIZE NAME", hexadecimal.
//
// The file is written by the program that was recorded: hostile. What is not such a line is passed
// over, of overlapping functions the later one counts.
//
//   Where    outside the target.
//   Memory   at most kMaxMapBytes.
//   Errors   open fails when the file is missing, no regular file, or another user's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/result.h"

namespace spyglass {

inline constexpr std::size_t kMaxMapBytes = 64U << 20U;  // what is longer is not read to its end

// The same for each process: what stands for the module of such code in names and comparisons.
inline constexpr char kMadeAtRunTime[] = "[made at run time]";

// Where the process `pid` keeps its file, and whether `path` is such a place.
std::string perf_map_path(std::uint32_t pid);
bool is_perf_map_path(const std::string& path);

class PerfMap {
 public:
  static Result<PerfMap> open(const std::string& path);

  // The name of the function that contains `address`; null if none does.
  const std::string* find(std::uint64_t address) const;

 private:
  struct Entry {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
    std::string name;
  };
  void parse(const std::string& text);

  std::vector<Entry> entries_;  // by start; the later line of equal ones last
};

}  // namespace spyglass
