// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/thread_table.h"

#include <algorithm>

namespace spyglass::model {
namespace {

ThreadInfo describe(const ThreadCounts& counts, const SessionClock& clock, const TickRange& range,
                    std::uint64_t end_ticks, double sample_interval_ns) {
  ThreadInfo info;
  info.record = counts.record;
  const std::uint64_t exit_ticks =
      counts.record.exit_ticks != 0 ? counts.record.exit_ticks : end_ticks;
  info.wall_ns =
      clock.ns(static_cast<double>(range.overlap(counts.record.birth_ticks, exit_ticks)));
  info.recorded_ns = clock.ns(
      std::max(0.0, static_cast<double>(static_cast<std::int64_t>(counts.recorded_ticks))));
  info.calls = counts.calls;
  const double off_ns = clock.ns(static_cast<double>(counts.off_cpu_ticks));
  // The kernel's figure is of the whole thread, and missing when the recorder was killed.
  const bool from_kernel = range.whole() && counts.record.cpu_ns != 0;
  info.cpu_ns = from_kernel ? static_cast<double>(counts.record.cpu_ns)
                            : std::max(0.0, info.recorded_ns - off_ns);
  info.samples = counts.samples;
  if (!from_kernel && sample_interval_ns > 0) {
    // Of a short life a few samples may stand for more than all of it.
    info.cpu_ns = std::min(static_cast<double>(counts.samples) * sample_interval_ns, info.wall_ns);
  }
  const bool whole = range.whole();
  info.runnable_ns =
      whole && counts.record.runnable_ns != 0 ? static_cast<double>(counts.record.runnable_ns) : -1;
  // Without the kernel's word on switches, an operation is taken to wait as long as it lasts.
  const bool exact = counts.record.cpu_accuracy == format::CpuAccuracy::kExact;
  const auto& waits = exact ? counts.wait_off_cpu_ticks : counts.wait_ticks;
  for (std::size_t i = 0; i < waits.size(); ++i) {
    const auto ticks = static_cast<double>(static_cast<std::int64_t>(waits[i]));
    info.waiting_ns[i] = clock.ns(std::max(0.0, ticks));
  }
  return info;
}

}  // namespace

ThreadCounts& ThreadTable::thread(std::uint32_t id) {
  const auto count = static_cast<std::uint32_t>(threads_.size());
  const std::uint32_t slot = index_.find_or_add(id, count);
  if (slot == count) {
    threads_.emplace_back();
    threads_.back().record.id = id;
  }
  return threads_[slot];
}

void ThreadTable::write(const SessionClock& clock, const TickRange& range, std::uint64_t end_ticks,
                        double sample_interval_ns, Profile& profile) const {
  std::map<std::uint32_t, ProcessInfo> processes;
  for (const auto& [id, record] : processes_) {
    const std::uint64_t process_end = record.end_ticks != 0 ? record.end_ticks : end_ticks;
    if (range.whole() || (record.start_ticks < range.end && process_end > range.start)) {
      processes[id].record = record;
    }
  }
  for (const ThreadCounts& counts : threads_) {
    ThreadInfo info = describe(counts, clock, range, end_ticks, sample_interval_ns);
    if (!range.whole() && info.wall_ns <= 0 && info.calls == 0 && info.samples == 0) {
      continue;
    }
    const auto process = processes.find(counts.record.process);
    if (process != processes.end()) {
      info.pid = process->second.record.pid;
      process->second.threads += 1;
      process->second.calls += info.calls;
    }
    profile.approximate_cpu |= counts.record.cpu_accuracy == format::CpuAccuracy::kApproximate;
    profile.threads.push_back(std::move(info));
  }
  std::sort(profile.threads.begin(), profile.threads.end(),
            [](const ThreadInfo& a, const ThreadInfo& b) { return a.record.id < b.record.id; });
  for (auto& [id, process] : processes) {
    profile.processes.push_back(std::move(process));
  }
}

}  // namespace spyglass::model
