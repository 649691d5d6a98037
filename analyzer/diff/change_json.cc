// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/change_json.h"

namespace spyglass {
namespace {

void begin_change(JsonWriter& json, std::string_view key, const Change& change) {
  json.key(key).begin_object();
  json.key("base").number(change.base);
  json.key("new").number(change.now);
  json.key("change").number(change.delta());
}

}  // namespace

void write_change(JsonWriter& json, std::string_view key, const Change& change) {
  begin_change(json, key, change);
  json.end_object();
}

void write_estimate(JsonWriter& json, std::string_view key, const Change& change) {
  begin_change(json, key, change);
  json.key("error").number(change.error());
  json.key("within_error").boolean(change.within_error());
  json.end_object();
}

}  // namespace spyglass
