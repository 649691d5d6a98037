// SPDX-License-Identifier: Apache-2.0
// function_order.h - sorting functions, and the figures of one function that are not stored.
//
//   Where    report and diff.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

enum class SortKey {
  kSelf,
  kTotal,
  kCalls,
  kCpu,
  kMean,
  kP50,
  kP90,
  kP99,
  kMin,
  kMax,
  kSamples,
  kBytes,
  kName
};

std::optional<SortKey> parse_sort_key(std::string_view name);
// All names, for messages: "self, total, ...".
std::string_view sort_key_names();

// Mean duration of a call, inner calls of a recursion included.
double mean_ns(const Function& function);
double quantile_ns(const Metrics& metrics, double q);

// Indices of all functions, largest first (names: ascending). Ties go by name, so that equal
// recordings give equal reports.
std::vector<std::uint32_t> sorted_functions(const Profile& profile, SortKey key);

// The time recorded in calls: what shares are shares of. Never 0.
double recorded_wall_ns(const Profile& profile);

}  // namespace spyglass
