// SPDX-License-Identifier: Apache-2.0
// flaws_json.h - losses and damage as every JSON document of ours writes them, see docs/json.md.
//
//   Where    report, diff and tools.
#pragma once

#include <cstdint>
#include <string_view>

#include "analyzer/model/profile.h"
#include "analyzer/report/json_writer.h"

namespace spyglass {

// "losses": [...].
void write_losses_json(JsonWriter& json, const Profile& profile);

// "damage": [...] of anything with offset, bytes and what.
template <typename Damages>
void write_damage_json(JsonWriter& json, const Damages& damages) {
  json.key("damage").begin_array();
  for (const auto& damage : damages) {
    json.new_line();
    json.begin_object();
    json.key("offset").count(damage.offset);
    json.key("bytes").count(damage.bytes);
    json.key("what").text(damage.what);
    json.end_object();
  }
  json.end_array();
}

}  // namespace spyglass
