// SPDX-License-Identifier: Apache-2.0
// heap_json.h - the member `memory` of "spyglass-analyze/1".
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/report/json_writer.h"

namespace spyglass {

// `position` says where each function stands in functions[].
void write_heap_json(JsonWriter& json, const Profile& profile,
                     const std::vector<std::uint32_t>& position);

}  // namespace spyglass
