// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "analyzer/report/deadlock_view.h"
#include "analyzer/report/loss_text.h"
#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

constexpr std::size_t kMostLines = 8;  // of one kind

std::string how_it_ended(const Profile& profile) {
  if (!profile.end) return "recorder was killed; what it had written until then is here";
  if (profile.processes.empty()) return "no process";
  // What the first process became by exec is still what was run.
  const format::ProcessRecord* first = &profile.processes.front().record;
  for (const ProcessInfo& process : profile.processes) {
    if (first->exit == format::ExitKind::kExeced && process.record.pid == first->pid) {
      first = &process.record;
    }
  }
  std::string text = describe_exit(*first);
  if (profile.end->interrupted) text += " (recording ended first)";
  return text;
}

void write_amounts(std::ostream& out, const TextStyle& style, const Profile& profile) {
  std::uint64_t calls = 0;
  double cpu_ns = 0;
  for (const Function& function : profile.functions) {
    calls += function.metrics.calls;
    cpu_ns += function.metrics.cpu_self_ns;
  }
  write_fact(out, style, "processes",
             fmt::format("{}, {}", format_count(profile.processes.size()),
                         plural(profile.threads.size(), "thread", "threads")));
  const std::string functions = plural(profile.functions.size(), "function", "functions");
  const std::string paths =
      plural(profile.nodes.empty() ? 0 : profile.nodes.size() - 1, "call path", "call paths");
  if (!profile.timed_calls && (profile.samples != 0 || !profile.uses.empty())) {
    write_fact(out, style, "stacks",
               fmt::format("{} of {}; {} recorded", paths, functions,
                           plural(calls, "operation", "operations")));
    return;
  }
  write_fact(out, style, "calls",
             fmt::format("{} of {}, {}", format_count(calls), functions, paths));
  const double wall_ns = profile.nodes.empty() ? 0 : profile.nodes.front().metrics.wall_total_ns;
  write_fact(out, style, "in calls",
             fmt::format("{} wall, {} CPU{}", format_duration(wall_ns), format_duration(cpu_ns),
                         profile.approximate_cpu ? " (approximate: perf was refused)" : ""));
}

void write_sampler(std::ostream& out, const TextStyle& style, const Profile& profile) {
  const auto& session = profile.session;
  if (session.sampler.empty()) return;  // of an older format
  const std::string reason =
      session.sampler_reason.empty() ? "" : fmt::format(" ({})", session.sampler_reason);
  if (session.sampler == "off" || session.sample_interval_ns == 0) {
    if (!reason.empty()) write_fact(out, style, "samples", "none" + reason);
    return;
  }
  double cpu_ns = 0;
  for (const ThreadInfo& thread : profile.threads) cpu_ns += thread.cpu_ns;
  std::uint64_t lost = 0;
  for (const format::LossRecord& loss : profile.losses) {
    lost += loss.kind == format::LossKind::kSamples ? loss.count : 0;
  }
  const double asked = 1e9 / static_cast<double>(session.sample_interval_ns);
  const double real = cpu_ns > 0 ? static_cast<double>(profile.samples) / (cpu_ns * 1e-9) : 0;
  write_fact(out, style, "samples",
             fmt::format("{}, {:.0f} for a second of CPU time ({:.0f} asked for), {} lost; by {}{}",
                         format_count(profile.samples), real, asked,
                         lost == 0 ? "none" : format_count(lost), session.sampler, reason),
             lost == 0 ? Tint::kNone : Tint::kWarm);
  // The kernel's events of user code: the rest of the CPU time is in no function.
  constexpr double kWorthTelling = 0.1;
  constexpr double kEnoughNs = 10e6;
  const double missing = 1 - real / asked;
  const bool known = session.sampler == "perf" && lost == 0 && profile.range_note.empty();
  if (known && cpu_ns > kEnoughNs && missing > kWorthTelling) {
    write_fact(out, style, "",
               fmt::format("{} of the CPU time was in the kernel, which has no samples; see Waits",
                           format_percent(missing)),
               Tint::kDim);
  }
}

// Of the operation `node`: each function with the line that it was at.
void write_crash_stack(std::ostream& out, const TextStyle& style, const Profile& profile,
                       std::uint32_t node) {
  constexpr std::size_t kMostFrames = 16;
  std::size_t frames = 0;
  for (std::uint32_t parent = profile.nodes[node].parent; parent != 0;
       node = parent, parent = profile.nodes[node].parent) {
    if (frames++ == kMostFrames) {
      return write_fact(out, style, "", "  …", Tint::kDim);
    }
    const Function& function = profile.functions[profile.nodes[parent].function];
    const std::string place = call_place(style, profile, profile.nodes[node]);
    write_fact(out, style, "",
               "  " + shown_name(style, function) + (place.empty() ? "" : "  " + place));
  }
}

std::string thread_text(const Profile& profile, std::uint32_t id) {
  for (const ThreadInfo& info : profile.threads) {
    if (info.record.id == id) return fmt::format("{} ({})", info.record.name, info.record.tid);
  }
  return "?";
}

void write_deadlocks(std::ostream& out, const TextStyle& style, const Profile& profile) {
  const auto cycles = deadlocks(profile);
  for (std::size_t i = 0; i < std::min(cycles.size(), kMostLines); ++i) {
    for (const UnfinishedWait* wait : cycles[i]) {
      const auto in = [&](std::uint32_t node) {
        return responsible_name(profile, node, style.full_names);
      };
      const bool own = wait->holder_thread == wait->thread;
      write_fact(
          out, style, wait == cycles[i].front() ? "deadlock" : "",
          fmt::format("{} waits in {} for {}, which {} took in {}",
                      thread_text(profile, wait->thread), in(profile.nodes[wait->node].parent),
                      object_text(profile, wait->object),
                      own ? "it" : thread_text(profile, wait->holder_thread),
                      wait->holder_node == 0 ? "?" : in(wait->holder_node)),
          Tint::kHot);
    }
  }
}

void write_fatal_signals(std::ostream& out, const TextStyle& style, const Profile& profile) {
  for (std::size_t i = 0; i < std::min(profile.fatal_signals.size(), kMostLines); ++i) {
    const FatalSignal& fatal = profile.fatal_signals[i];
    const std::string signal = fatal.object == ObjectUse::kNoObject
                                   ? "a fatal signal"
                                   : object_text(profile, fatal.object);
    write_fact(
        out, style, "crash",
        fmt::format("{} at address {:#x} in thread {}, {} after the start{}{}", signal,
                    fatal.address, thread_text(profile, fatal.thread), format_duration(fatal.at_ns),
                    fatal.text.empty() ? "" : ": ", fatal.text),
        Tint::kHot);
    write_crash_stack(out, style, profile, fatal.node);
  }
}

void write_open_calls(std::ostream& out, const TextStyle& style, const Profile& profile) {
  std::uint64_t calls = 0;
  std::uint64_t functions = 0;
  for (const Function& function : profile.functions) {
    calls += function.metrics.open_calls;
    functions += function.metrics.open_calls > 0 ? 1 : 0;
  }
  if (calls == 0) return;
  write_fact(
      out, style, "unfinished",
      fmt::format("{} of {} had not returned; their times are up to their thread's end",
                  plural(calls, "call", "calls"), plural(functions, "function", "functions")));
}

template <typename Items, typename Describe>
void write_list(std::ostream& out, const TextStyle& style, std::string_view label,
                const Items& items, Tint tint, Describe describe) {
  std::size_t shown = 0;
  for (const auto& item : items) {
    if (shown == kMostLines) {
      write_fact(out, style, "", fmt::format("and {} more", items.size() - shown), Tint::kDim);
      break;
    }
    write_fact(out, style, shown == 0 ? label : "", describe(item), tint);
    ++shown;
  }
}

void write_demoted(std::ostream& out, const TextStyle& style, const Profile& profile) {
  if (profile.demoted.empty()) return;
  double uncertainty_ns = 0;
  for (const Function& function : profile.functions) {
    uncertainty_ns = std::max(uncertainty_ns, function.metrics.uncertainty_ns);
  }
  write_fact(out, style, "estimated",
             fmt::format("times of {} (marked ~): counted always, timed one call in 16; "
                         "at most ±{}",
                         plural(profile.demoted.size(), "function", "functions"),
                         format_duration(uncertainty_ns)));
}

void write_flaws(std::ostream& out, const TextStyle& style, const Profile& profile) {
  const auto losses = merged_losses(profile);
  std::vector<format::LossRecord> lost;
  std::vector<format::LossRecord> repaired;
  for (const auto& loss : losses) (is_real_loss(loss.kind) ? lost : repaired).push_back(loss);
  if (lost.empty()) write_fact(out, style, "lost", "nothing");
  write_list(out, style, "lost", lost, Tint::kWarm, describe_loss);
  write_list(out, style, "repaired", repaired, Tint::kNone, describe_loss);
  write_list(out, style, "blind spots", profile.coverage, Tint::kWarm,
             [](const format::CoverageRecord& record) {
               return record.subject.empty() ? record.reason
                                             : record.subject + ": " + record.reason;
             });
  write_list(out, style, "damage", profile.damage, Tint::kHot, [](const Damage& damage) {
    return fmt::format("{} at offset {}: {}", plural(damage.bytes, "byte", "bytes"), damage.offset,
                       damage.what);
  });
}

}  // namespace

const std::string& shown_name(const TextStyle& style, const Function& function) {
  return style.full_names || function.short_name.empty() ? function.name : function.short_name;
}

std::string source_place(const TextStyle& style, const Function& function) {
  if (function.file.empty()) return {};
  const std::string file =
      style.full_names ? function.file : std::string(module_name(function.file));
  return function.line == 0 ? file : fmt::format("{}:{}", file, function.line);
}

std::string call_place(const TextStyle& style, const Profile& profile, const TreeNode& callee) {
  const Function& caller = profile.functions[profile.nodes[callee.parent].function];
  if (callee.call_lines.empty() || caller.file.empty()) return source_place(style, caller);
  const std::string file = style.full_names ? caller.file : std::string(module_name(caller.file));
  const bool more = callee.call_lines.size() == kMostCallLines;
  return fmt::format("{}:{}{}", file, fmt::join(callee.call_lines, ","), more ? " …" : "");
}

void write_summary(std::ostream& out, const TextStyle& style, const Profile& profile) {
  const auto& session = profile.session;
  write_fact(out, style, "recording",
             fmt::format("{}  ({})", profile.file, format_bytes(profile.file_bytes)));
  write_fact(out, style, "command",
             command_line(session.command.data(), session.command.data() + session.command.size()),
             Tint::kStrong);
  write_fact(out, style, "recorded",
             fmt::format("{} on {}, Spyglass {}", format_utc(session.start.unix_ns),
                         session.host.empty() ? "an unknown host" : session.host, session.version));
  write_fact(out, style, "duration",
             fmt::format("{}, {}", format_duration(profile.duration_ns), how_it_ended(profile)));
  write_fatal_signals(out, style, profile);
  write_deadlocks(out, style, profile);
  if (!profile.range_note.empty()) {
    write_fact(out, style, "time range",
               fmt::format("{}..{}: {}", format_duration(profile.range_start_ns),
                           format_duration(profile.range_end_ns), profile.range_note));
  }
  write_amounts(out, style, profile);
  write_sampler(out, style, profile);
  write_open_calls(out, style, profile);
  write_demoted(out, style, profile);
  write_flaws(out, style, profile);
}

}  // namespace spyglass
