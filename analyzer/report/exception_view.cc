// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/exception_view.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "analyzer/report/wait_view.h"
#include "format/operation.h"

namespace spyglass {

bool is_termination(const Profile& profile, const ExceptionFlow& flow) {
  constexpr std::string_view kName =
      format::kOperations[static_cast<unsigned>(format::Operation::k_std_terminate)].name;
  return profile.functions[profile.nodes[flow.node].function].name == kName;
}

std::vector<ExceptionFlow> exception_flows(const Profile& profile) {
  std::vector<ExceptionFlow> flows = profile.exceptions;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> told;
  for (const ExceptionFlow& flow : flows) told[{flow.node, flow.type}] += flow.count;
  const bool escaped =
      std::ranges::any_of(flows, [](const ExceptionFlow& flow) { return flow.catch_node == 0; });
  for (const WaitRow& row : wait_rows(profile, UseKind::kException)) {
    const std::uint64_t known = told[{row.node, row.object}];
    if (row.metrics.calls > known) {
      ExceptionFlow flow;
      flow.type = row.object;
      flow.node = row.node;
      flow.catch_node = ExceptionFlow::kUnknown;
      flow.count = row.metrics.calls - known;
      if (!escaped || !is_termination(profile, flow)) {
        flows.push_back(std::move(flow));
      }
    }
  }
  std::stable_sort(flows.begin(), flows.end(), [](const ExceptionFlow& a, const ExceptionFlow& b) {
    return a.count > b.count;
  });
  return flows;
}

}  // namespace spyglass
