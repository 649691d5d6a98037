// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/heap_view.h"

#include <algorithm>
#include <map>
#include <utility>

#include "analyzer/report/wait_view.h"
#include "format/record_names.h"

namespace spyglass {

std::vector<std::uint32_t> heap_order(
    const Heap& heap, const std::function<std::uint64_t(const HeapStack&)>& amount) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < heap.stacks.size(); ++i) {
    if (amount(heap.stacks[i]) != 0) order.push_back(i);
  }
  std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return amount(heap.stacks[a]) > amount(heap.stacks[b]);
  });
  return order;
}

std::vector<HeapFunctionRow> heap_function_rows(const Profile& profile, bool full_names) {
  std::map<std::pair<std::string_view, std::string>, HeapStack> sums;
  for (const HeapStack& stack : profile.heap->stacks) {
    const std::string who = responsible_name(profile, profile.nodes[stack.node].parent, full_names);
    HeapStack& sum = sums[{operation_name(profile, stack.node), who}];
    sum.node = stack.node;
    sum.allocations += stack.allocations;
    sum.allocated_bytes += stack.allocated_bytes;
    sum.frees += stack.frees;
    sum.temporary += stack.temporary;
    sum.peak_bytes += stack.peak_bytes;
    sum.leaked_bytes += stack.suppression == 0 ? stack.leaked_bytes : 0;
  }
  std::vector<HeapFunctionRow> rows;
  rows.reserve(sums.size());
  for (auto& [key, sum] : sums) rows.push_back({std::move(sum), key.second});
  std::ranges::stable_sort(rows, std::greater<>(),
                           [](const HeapFunctionRow& row) { return row.sum.allocated_bytes; });
  return rows;
}

Fragmentation fragmentation_of(const Heap& heap) {
  Fragmentation found;
  double shares = 0;
  double moments = 0;
  for (const HeapMoment& moment : heap.timeline) {
    if (!moment.resident_known || moment.resident_bytes == 0) continue;
    const auto resident = static_cast<double>(moment.resident_bytes);
    shares += std::min(1.0, static_cast<double>(moment.live_bytes) / resident);
    moments += 1;
    if (moment.resident_bytes <= found.resident_bytes) continue;
    found.known = true;
    found.at_ns = moment.at_ns;
    found.resident_bytes = moment.resident_bytes;
    found.live_bytes = moment.live_bytes;
    found.mapped_bytes = moment.mapped_bytes;
  }
  const std::uint64_t explained = found.live_bytes + found.mapped_bytes;
  found.unused_bytes = found.resident_bytes - std::min(found.resident_bytes, explained);
  found.mean_share = moments > 0 ? shares / moments : 0;
  return found;
}

std::string_view operation_name(const Profile& profile, std::uint32_t node) {
  if (node == 0) return "?";
  return profile.functions[profile.nodes[node].function].name;
}

bool is_untimed(const Profile& profile, const Function& function) {
  const Metrics& metrics = function.metrics;
  return profile.session.memory != format::MemoryMode::kOff && metrics.calls == 0 &&
         metrics.samples.total == 0 && metrics.wall_total_ns == 0 && metrics.bytes.total == 0;
}

bool is_memory_operation(const Function& function) {
  return function.kind == FunctionKind::kOperation && format::is_operation(function.operation) &&
         format::operation_info(function.operation).kind == format::OperationClass::kMemory;
}

}  // namespace spyglass
