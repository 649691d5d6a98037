// SPDX-License-Identifier: Apache-2.0
// change_json.h - a change as an object of "spyglass-diff/1".
//
//   Where    diff.
#pragma once

#include <string_view>

#include "analyzer/diff/change.h"
#include "analyzer/report/json_writer.h"

namespace spyglass {

// base, new, change.
void write_change(JsonWriter& json, std::string_view key, const Change& change);
// And how exact the change is: error, within_error.
void write_estimate(JsonWriter& json, std::string_view key, const Change& change);

}  // namespace spyglass
