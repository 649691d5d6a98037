// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/stack_json.h"

#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

bool is_operation(const Profile& profile, std::uint32_t node) {
  return node != 0 &&
         profile.functions[profile.nodes[node].function].kind == FunctionKind::kOperation;
}

}  // namespace

void write_stack(JsonWriter& json, const Profile& profile,
                 const std::vector<std::uint32_t>& position, std::uint32_t node) {
  const bool below = is_operation(profile, node);
  const std::uint32_t innermost = below ? profile.nodes[node].parent : node;
  const std::uint32_t found = responsible_node(profile, innermost);
  json.key("function");
  found == 0 ? json.null() : json.text(profile.functions[profile.nodes[found].function].name);
  const std::vector<std::uint32_t> stack = stack_of(profile, innermost);
  json.key("stack").begin_array();
  for (const std::uint32_t function : stack) json.count(position[function]);
  json.end_array();
  json.key("lines").begin_array();
  std::size_t written = 0;
  if (!below && !stack.empty()) {
    json.null();  // where it is itself is not known
    ++written;
  }
  for (const auto* lines : call_lines_of(profile, node)) {
    if (written++ == stack.size()) break;
    lines->size() == 1 ? json.count(lines->front()) : json.null();
  }
  json.end_array();
}

}  // namespace spyglass
