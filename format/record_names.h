// SPDX-License-Identifier: Apache-2.0
// record_names.h - the names that dumps, reports and docs/format.md use for numbers of records.h.
//
//   Where    analyzer, tools and tests.
//   Errors   "unknown" for numbers of later versions.
#pragma once

#include <string_view>

#include "format/records.h"

namespace spyglass::format {

std::string_view metric_name(Metric metric);
std::string_view event_kind_name(EventKind kind);
std::string_view allocation_kind_name(AllocationKind kind);
std::string_view object_kind_name(ObjectKind kind);

constexpr bool is_operation(std::uint64_t number) {
  return number < static_cast<std::uint64_t>(Operation::kCount);
}
// Requires: is_operation(number).
constexpr const OperationInfo& operation_info(std::uint64_t number) { return kOperations[number]; }

}  // namespace spyglass::format
