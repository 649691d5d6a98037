// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/made_code.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "recorder/collector/proc_files.h"
#include "recorder/collector/sample_image.h"
#include "symbols/perf_map.h"

namespace spyglass::collector {
namespace {

constexpr std::size_t kMostRanges = 1024;  // of one process
constexpr std::int64_t kPauseFactor = 50;  // looking takes two percent of the time at most

constexpr std::uint64_t kFirstPage = 4096;
constexpr std::uint64_t kKernelStart = std::uint64_t{1} << 47U;

bool has_map(std::uint32_t pid) { return ::access(perf_map_path(pid).c_str(), R_OK) == 0; }

std::int64_t now_ns() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

MadeCode::Range* MadeCode::range_at(Process& process, std::uint64_t pc) {
  const auto found =
      std::find_if(process.ranges.begin(), process.ranges.end(),
                   [pc](const Range& range) { return pc >= range.start && pc < range.end; });
  return found == process.ranges.end() ? nullptr : &*found;
}

void MadeCode::look(Process& process, std::uint32_t pid) {
  const std::int64_t begin_ns = now_ns();
  const std::vector<ProcMapping> mappings = read_code_mappings(pid);
  if (mappings.empty() && process.ranges.empty() && has_map(pid)) {
    process.ranges.push_back({kFirstPage, kKernelStart});  // it is gone: what the file says
  }
  for (const ProcMapping& mapping : mappings) {
    if (!is_anonymous(mapping.path)) {
      continue;
    }
    if (Range* known = range_at(process, mapping.start)) {
      known->end = std::max(known->end, mapping.end);  // it grew
    } else if (process.ranges.size() < kMostRanges) {
      process.ranges.push_back({mapping.start, mapping.end});
    }
  }
  const std::int64_t end_ns = now_ns();
  process.next_look_ns = end_ns + kPauseFactor * (end_ns - begin_ns);
}

std::uint32_t MadeCode::module_of(std::uint32_t process, std::uint32_t pid, std::uint64_t pc) {
  if (pid == 0 || pc < kFirstPage) {
    return 0;
  }
  Process& known = processes_[process];
  if (range_at(known, pc) == nullptr && now_ns() >= known.next_look_ns) {
    look(known, pid);
  }
  if (range_at(known, pc) == nullptr) {
    return 0;
  }
  if (known.module == 0) {
    known.module = nodes_.module(perf_map_path(pid), {});
  }
  return known.module;
}

}  // namespace spyglass::collector
