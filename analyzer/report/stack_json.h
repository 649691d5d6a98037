// SPDX-License-Identifier: Apache-2.0
// stack_json.h - the stack of an operation, as JSON has it everywhere.
//
//   Memory  none of its own.
//   Errors  none.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/report/json_writer.h"

namespace spyglass {

// Writes `function` (see responsible_node()), `stack` and `lines` of what is above `node`, an
// operation's; of `node` itself and what is above it where it is none. `position`: of each function
// in functions[].
void write_stack(JsonWriter& json, const Profile& profile,
                 const std::vector<std::uint32_t>& position, std::uint32_t node);

}  // namespace spyglass
