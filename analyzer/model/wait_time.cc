// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/wait_time.h"

#include <algorithm>

namespace spyglass::model {

bool waits(const RecordedNode& node) {
  return node.wait <= static_cast<std::uint8_t>(format::OperationClass::kProcess);
}

void count_wait(RecordedNode& node, ThreadCounts& thread, std::uint64_t ticks) {
  if (waits(node)) {
    node.counts.off_cpu_ticks += ticks;
    thread.off_cpu_ticks += ticks;
    thread.wait_off_cpu_ticks[node.wait] += ticks;
  }
}

void take_back_wait(RecordedNode& node, ThreadCounts& thread, std::uint64_t ticks) {
  if (waits(node)) {
    const std::uint64_t waited = std::min({ticks, node.counts.off_cpu_ticks, thread.off_cpu_ticks,
                                           thread.wait_off_cpu_ticks[node.wait]});
    node.counts.off_cpu_ticks -= waited;
    thread.off_cpu_ticks -= waited;
    thread.wait_off_cpu_ticks[node.wait] -= waited;
  }
}

}  // namespace spyglass::model
