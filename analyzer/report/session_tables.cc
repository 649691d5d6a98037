// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "analyzer/report/loss_text.h"
#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/weight.h"

namespace spyglass {
namespace {

void write_processes(std::ostream& out, const TextStyle& style, const Profile& profile,
                     std::size_t top) {
  TextTable table(
      {{"pid", false, 0}, {"ppid"}, {"threads"}, {"calls"}, {"ended", true}, {"command", true}});
  std::size_t rows = 0;
  for (const ProcessInfo& process : profile.processes) {
    if (top != 0 && rows++ == top) {
      table.add_note(fmt::format("and {} more", profile.processes.size() - top));
      break;
    }
    const auto& record = process.record;
    const auto& command = record.command;
    table.add({{fmt::format("{}", record.pid)},
               {fmt::format("{}", record.ppid), Tint::kDim},
               {format_count(process.threads)},
               {format_count(process.calls)},
               {describe_exit(record),
                record.exit == format::ExitKind::kSignaled ? Tint::kHot : Tint::kNone},
               {command.empty() ? record.executable
                                : command_line(command.data(), command.data() + command.size()),
                Tint::kNone,
                {},
                record.forked ? "(forked)" : ""}});
  }
  write_heading(out, style, "Processes");
  table.write(out, style);
}

std::string cpu_text(const ThreadInfo& thread) {
  switch (thread.record.cpu_accuracy) {
    case format::CpuAccuracy::kNone:
      return "?";
    case format::CpuAccuracy::kApproximate:
      return "≈" + format_duration(thread.cpu_ns);
    case format::CpuAccuracy::kExact:
      break;
  }
  return format_duration(thread.cpu_ns);
}

}  // namespace

void write_threads(std::ostream& out, const TextStyle& style, const Profile& profile,
                   std::size_t top) {
  write_processes(out, style, profile, top);
  std::vector<std::size_t> order(profile.threads.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return profile.threads[a].recorded_ns > profile.threads[b].recorded_ns;
  });
  TextTable table({{"pid", false, 0},
                   {"tid"},
                   {"calls"},
                   {"in calls"},
                   {"CPU"},
                   {"CPU%"},
                   {"waiting"},
                   {"runnable"},
                   {"samples"},
                   {"lived"},
                   {"thread", true}});
  const std::size_t rows = top == 0 ? order.size() : std::min(top, order.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const ThreadInfo& thread = profile.threads[order[i]];
    const double busy = thread.wall_ns > 0 ? thread.cpu_ns / thread.wall_ns : 0;
    table.add({{fmt::format("{}", thread.pid), Tint::kDim},
               {fmt::format("{}", thread.record.tid)},
               {format_count(thread.calls)},
               {format_duration(thread.recorded_ns),
                heat(thread.recorded_ns / recorded_wall_ns(profile))},
               {cpu_text(thread)},
               {format_percent(busy), Tint::kDim},
               {format_duration(thread.all_waiting_ns())},
               {thread.runnable_ns < 0 ? "" : format_duration(thread.runnable_ns)},
               {format_count(thread.samples)},
               {format_duration(thread.wall_ns)},
               {thread.record.name}});
  }
  if (rows < order.size()) table.add_note(fmt::format("and {} more", order.size() - rows));
  table.drop_empty_columns(6);
  write_heading(out, style, "Threads");
  table.write(out, style);
  const bool waited = std::any_of(
      profile.threads.begin(), profile.threads.end(),
      [](const ThreadInfo& thread) { return thread.all_waiting_ns() + thread.runnable_ns > 0; });
  if (waited) write_thread_times(out, style, profile, top, false);
}

void write_groups(std::ostream& out, const TextStyle& style, const Profile& profile,
                  const std::vector<Group>& groups, std::string_view title, std::size_t top) {
  const bool by_cpu = usual_weight(profile) == Weight::kCpu;
  TextTable table({{"functions", false, 0},
                   {"calls"},
                   {by_cpu ? "CPU" : "total"},
                   {"self"},
                   {"self%"},
                   {by_cpu ? "waited" : "CPU"},
                   {std::string(title), true}});
  const double whole = whole_of(profile, usual_weight(profile));
  const std::size_t rows = top == 0 ? groups.size() : std::min(top, groups.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const Group& group = groups[i];
    const double self_ns = by_cpu ? group.cpu_self_ns : group.wall_self_ns;
    const double share = self_ns / whole;
    table.add({{format_count(group.functions)},
               {format_count(group.calls)},
               {format_duration(by_cpu ? group.cpu_total_ns : group.wall_total_ns)},
               {format_duration(self_ns), heat(share)},
               {format_percent(share), heat(share)},
               {format_duration(by_cpu ? group.wall_total_ns : group.cpu_self_ns)},
               {group.name, share >= 0.05 ? Tint::kStrong : Tint::kNone}});
  }
  if (rows < groups.size()) table.add_note(fmt::format("and {} more", groups.size() - rows));
  if (by_cpu) table.drop_empty_columns();
  out << '\n';
  table.write(out, style);
}

void write_next_step(std::ostream& out, const TextStyle& style, const Profile& profile,
                     std::string_view seen) {
  if (!style.interactive || profile.functions.empty()) return;
  const std::string file = command_line(&profile.file, &profile.file + 1);
  const auto order = sorted_functions(profile, SortKey::kSelf);
  const std::string hot(bare_name(profile.functions[order.front()].name));
  const std::string name = command_line(&hot, &hot + 1);
  std::string next = fmt::format("spyglass analyze {} --tree", file);
  if (seen == "tree") next = fmt::format("spyglass analyze {} --callers {}", file, name);
  if (seen == "callers") next = fmt::format("spyglass analyze {} --callees {}", file, name);
  out << '\n' << tinted(style, Tint::kDim, "next: " + printable(next)) << '\n';
}

}  // namespace spyglass
