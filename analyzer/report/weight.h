// SPDX-License-Identifier: Apache-2.0
// weight.h - the metric that a tree, a flame graph or a group is weighed by.
//
//   Where    report, diff and tools.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "analyzer/model/profile.h"

namespace spyglass {

enum class Weight {
  kWall,
  kCpu,
  kSamples,
  kCalls,
  kBytes,
  kErrors,
  kAllocations,
  kAllocated,
  kPeak,
  kLeaked,
  kTemporary
};

std::optional<Weight> parse_weight(std::string_view name);
// All names, for messages: "wall, cpu, ...".
std::string_view weight_names();
std::string_view weight_name(Weight weight);

// What says most about the recording: wall time where calls were timed, else CPU samples, else the
// time in operations.
Weight usual_weight(const Profile& profile);
// Whether the recording has any of it.
bool has_weight(const Profile& profile, Weight weight);

double self_of(const Metrics& metrics, Weight weight);
double total_of(const Metrics& metrics, Weight weight);
bool is_time(Weight weight);
// Of memory: known only where Profile::heap is.
bool is_memory(Weight weight);
// "1.20ms", "1,234", "1.20 MiB".
std::string format_weight(double amount, Weight weight);
// The sum over the recording: what shares are shares of. Never 0.
double whole_of(const Profile& profile, Weight weight);

}  // namespace spyglass
