// SPDX-License-Identifier: Apache-2.0
// profile_diff.h - what changed from one recording to another.
//
// Every change is split exactly into the part that comes from more calls and the part that comes
// from slower ones. With calls c, time per call m, and time T = c * m on each side:
//
//   T2 - T1 = (c2 - c1) * (m1 + m2) / 2   more calls
//           + (c1 + c2) / 2 * (m2 - m1)   slower calls
//
// Multiplying out shows that it sums to T2 - T1. It is the Shapley value of the two factors (the
// mean of both orders of changing one and then the other), in index theory Bennet's indicator
// (1920): the one division that favours neither factor nor side, so it turns its sign when the
// recordings are swapped.
//
//   Where    analyzer.
//   Memory   proportional to both profiles.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/diff/change.h"
#include "analyzer/diff/heap_diff.h"
#include "analyzer/diff/operation_diff.h"
#include "analyzer/model/profile.h"

namespace spyglass {

struct Split {
  double more_calls = 0;
  double slower_calls = 0;
};

// Where the change of `time` comes from. A side without calls takes the other's time per call.
Split split_change(const Change& calls, const Change& time);

struct FunctionDiff {
  const Function* base = nullptr;  // nothing: new. Of several that are one identity, the first
  const Function* now = nullptr;   // nothing: vanished
  Change calls;
  Change wall_self_ns;
  Change wall_total_ns;
  Change cpu_self_ns;
  Change cpu_total_ns;
  Change mean_ns;
  Change p99_ns;
  Change self_samples;
  Change total_samples;
  Change bytes;                 // totals
  Change errors;                // likewise
  Change allocations;           // likewise
  Change allocated_bytes;       // likewise
  Change peak_bytes;            // likewise
  Change leaked_bytes;          // likewise
  std::optional<double> drift;  // drift.h

  // The side that is there, preferably the new one.
  // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.UndefReturn): one of them is
  const Function& function() const { return now != nullptr ? *now : *base; }
  bool is_common() const { return base != nullptr && now != nullptr; }
  // Only one side has it, but just because samples happened to hit it there.
  bool is_one_sided_by_chance() const;
  bool changed() const;
};

// A line of both call trees, recursion folded as in tree_view.h.
struct PathDiff {
  std::uint32_t parent = 0;  // index; the root (index 0) has itself
  std::uint32_t depth = 0;
  const Function* function = nullptr;
  bool in_base = false;
  bool in_new = false;
  Change calls;
  Change wall_self_ns;
  Change wall_total_ns;
  Change cpu_total_ns;
  Change samples;                       // total
  std::vector<std::uint32_t> children;  // largest change of the total first

  bool changed() const;
};

// Whole recordings.
struct TotalDiff {
  Change duration_ns;
  Change wall_ns;  // in recorded calls
  Change cpu_ns;
  Change calls;
  Change functions;
  Change processes;
  Change threads;
  Change samples;
};

enum class DiffKey { kSelf, kTotal, kCpu, kCalls, kMean, kP99, kDrift, kSamples };

// Refers to both profiles, which outlive it.
struct ProfileDiff {
  const Profile* base = nullptr;
  const Profile* now = nullptr;
  TotalDiff totals;
  std::vector<FunctionDiff> functions;  // all, largest change of self wall time first
  std::vector<PathDiff> paths;          // parents before children
  OperationDiff operations;
  HeapDiff heap;
  bool sampled = false;  // neither side timed calls: samples are all there is of functions

  bool empty() const;  // no function, path or operation changed
};

ProfileDiff diff_profiles(const Profile& base, const Profile& now);
// Largest change by `key` first; ties by name.
void sort_functions(std::vector<FunctionDiff>& functions, DiffKey key);

}  // namespace spyglass
