// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/flaws_json.h"

#include "analyzer/report/loss_text.h"

namespace spyglass {

void write_losses_json(JsonWriter& json, const Profile& profile) {
  json.key("losses").begin_array();
  for (const format::LossRecord& loss : merged_losses(profile)) {
    json.new_line();
    json.begin_object();
    json.key("kind").text(loss_kind_name(loss.kind));
    json.key("count").count(loss.count);
    json.key("reason").text(loss.reason);
    json.key("lost").boolean(is_real_loss(loss.kind));
    json.end_object();
  }
  json.end_array();
}

}  // namespace spyglass
