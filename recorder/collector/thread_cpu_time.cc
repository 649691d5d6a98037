// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/thread_cpu_time.h"

#include <algorithm>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/process_table.h"

namespace spyglass::collector {

using format::Lane;

ThreadCpuTime::ThreadCpuTime(const Arena& arena, const CounterSnapshot& snapshot)
    : arena_(arena),
      snapshot_(snapshot),
      ns_per_tick_q60_(peek(arena.header().options.ns_per_tick_q60)) {}

std::uint64_t ThreadCpuTime::wall_ns(std::uint64_t from_ticks, std::uint64_t to_ticks) const {
  return ns_of_ticks(to_ticks - std::min(to_ticks, from_ticks), ns_per_tick_q60_);
}

void ThreadCpuTime::note_reading(LaneView& view, std::uint64_t cpu_ns,
                                 std::uint64_t now_ticks) const {
  const bool first = view.cpu_reading_ticks == 0;
  const std::uint64_t from_ticks = first ? view.thread.birth_ticks : view.cpu_reading_ticks;
  const std::uint64_t from_ns =
      first ? peek(arena_.lane(view.index).birth_cpu_ns) : view.cpu_reading_ns;
  const std::uint64_t elapsed_ns = wall_ns(from_ticks, now_ticks);
  const std::uint64_t used_ns = cpu_ns - std::min(cpu_ns, from_ns);
  view.cpu_share =
      used_ns < elapsed_ns ? static_cast<double>(used_ns) / static_cast<double>(elapsed_ns) : 1;
  view.cpu_share_of_ns = elapsed_ns;
  view.cpu_reading_ns = cpu_ns;
  view.cpu_reading_ticks = now_ticks;
  view.active_since_reading = false;
}

ThreadCpuTime::Reading ThreadCpuTime::last_reading(const LaneView& view,
                                                   std::uint64_t end_ticks) const {
  const Lane& lane = arena_.lane(view.index);
  Reading last = {view.cpu_reading_ns, view.cpu_reading_ticks};
  if (view.outer_tid == view.process->outer_pid && view.process->exec_cpu_ns != 0) {
    last = {view.process->exec_cpu_ns, end_ticks};
  }
  // The process's own, where they are later: exit() reads all.
  for (const Reading& own : {Reading{peek(lane.last_sync_cpu_ns), peek(lane.last_sync_ticks)},
                             Reading{peek(lane.seen_cpu_ns), peek(lane.seen_ticks)}}) {
    last = own.ticks > last.ticks && own.ticks <= end_ticks ? own : last;
  }
  return last;
}

std::uint64_t ThreadCpuTime::ns(const LaneView& view, std::uint64_t end_ticks) const {
  const Lane& lane = arena_.lane(view.index);
  const std::uint64_t birth_cpu_ns = peek(lane.birth_cpu_ns);
  const std::uint64_t exit_cpu_ns = peek(lane.exit_cpu_ns);
  if (exit_cpu_ns > birth_cpu_ns) {
    return exit_cpu_ns - birth_cpu_ns;
  }
  const std::uint64_t life_ns = wall_ns(view.thread.birth_ticks, end_ticks);
  const std::uint64_t off_ns = std::min(life_ns, ns_of_ticks(view.off_cpu_ticks, ns_per_tick_q60_));
  const Reading last = last_reading(view, end_ticks);
  if (last.ticks == 0) {
    return life_ns - off_ns;
  }
  const std::uint64_t waits_from = snapshot_.waiting_since(view);
  const std::uint64_t busy_until = waits_from == 0 ? end_ticks : std::min(end_ticks, waits_from);
  const std::uint64_t read_ns = last.ns - std::min(last.ns, birth_cpu_ns);
  const std::uint64_t since_ns = wall_ns(last.ticks, busy_until);
  if (waits_from == 0 && !view.active_since_reading && last.ticks == view.cpu_reading_ticks) {
    // What it did in a moment says nothing of a long time after.
    constexpr std::uint64_t kFarthest = 16;
    const std::uint64_t told_ns = std::min(since_ns, kFarthest * view.cpu_share_of_ns);
    return read_ns + static_cast<std::uint64_t>(view.cpu_share * static_cast<double>(told_ns));
  }
  return std::clamp(life_ns - off_ns, read_ns, read_ns + since_ns);
}

}  // namespace spyglass::collector
