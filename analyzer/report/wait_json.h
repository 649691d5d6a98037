// SPDX-License-Identifier: Apache-2.0
// wait_json.h - samples, waits, locks, I/O, exceptions and fatal signals as members of
// "spyglass-analyze/1", see docs/json.md.
//
//   Where    profile_json.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/report/json_writer.h"

namespace spyglass {

void write_samples_json(JsonWriter& json, const Profile& profile);
// How a thread's time is made up.
void write_thread_time_json(JsonWriter& json, const ThreadInfo& thread);
// `position`: where each function stands in the document.
void write_operations_json(JsonWriter& json, const Profile& profile,
                           const std::vector<std::uint32_t>& position);

}  // namespace spyglass
