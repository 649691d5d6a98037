// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analyzer/diff/change_text.h"
#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/drift.h"
#include "analyzer/diff/operation_report.h"
#include "analyzer/report/loss_text.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"

namespace spyglass {
namespace {

double relative(const Change& change) {
  if (change.delta() == 0) return 0;
  if (change.base == 0)
    return std::copysign(std::numeric_limits<double>::infinity(), change.delta());
  return change.delta() / std::fabs(change.base);
}

Cell duration_change(double delta) { return {format_duration_change(delta), direction(delta)}; }

std::uint64_t whole(double count) { return static_cast<std::uint64_t>(std::max(count, 0.0)); }

std::string sampling_of(const Profile& profile) {
  const auto& session = profile.session;
  if (session.sampler.empty() || session.sampler == "off" || session.sample_interval_ns == 0) {
    return "none";
  }
  return fmt::format("{}, {:.0f} Hz{}", session.sampler,
                     1e9 / static_cast<double>(session.sample_interval_ns),
                     session.sampler == "perf" ? ", user code" : "");
}

// What the two recordings are.
void add_facts(TextTable& table, const TextStyle& style, const ProfileDiff& diff) {
  const Profile& base = *diff.base;
  const Profile& now = *diff.now;
  const auto row = [&](const char* label, const std::string& before, const std::string& after) {
    table.add(
        {{label, Tint::kDim}, {before}, {after}, {before == after ? "" : "differs", Tint::kDim}});
  };
  const auto room = [&](const std::string& text) {
    return style.width == 0 ? text : shortened(text, std::max<std::size_t>(style.width / 3, 16));
  };
  const auto command = [&](const Profile& profile) {
    const auto& words = profile.session.command;
    return room(command_line(words.data(), words.data() + words.size()));
  };
  const auto ending = [](const Profile& profile) {
    return profile.processes.empty() ? "" : describe_exit(profile.processes.front().record);
  };
  table.add({{"file", Tint::kDim},
             {room(printable(base.file)), Tint::kStrong},
             {room(printable(now.file)), Tint::kStrong},
             {}});
  row("command", command(base), command(now));
  table.add({{"recorded", Tint::kDim},
             {format_utc(base.session.start.unix_ns)},
             {format_utc(now.session.start.unix_ns)},
             {}});
  row("ended", ending(base), ending(now));
  // Shares of one are not those of the other: perf leaves out what the kernel did.
  if (sampling_of(base) != sampling_of(now)) row("samples", sampling_of(base), sampling_of(now));
}

// And what they hold.
void add_sums(TextTable& table, const ProfileDiff& diff) {
  const auto row = [&](const char* label, const std::string& base, const std::string& now,
                       const std::string& text, const Change& change) {
    const bool unknown = change.base == 0 || change.delta() == 0 || change.within_error();
    const std::string percent = unknown ? "" : "  " + format_percent_change(relative(change));
    table.add({{label, Tint::kDim},
               {base},
               {now},
               {change.delta() == 0 ? "=" : text + percent, direction(change)}});
  };
  const auto time_row = [&](const char* label, const Change& change) {
    row(label, format_duration(change.base), format_duration(change.now),
        format_duration_change(change.delta()), change);
  };
  const auto count_row = [&](const char* label, const Change& change) {
    row(label, format_count(whole(change.base)), format_count(whole(change.now)),
        count_change_text(change), change);
  };
  const auto has = [](const Change& change) { return change.base + change.now > 0; };
  time_row("duration", diff.totals.duration_ns);
  if (!diff.sampled) time_row("in calls", diff.totals.wall_ns);
  time_row("CPU", diff.totals.cpu_ns);
  if (has(diff.totals.samples)) count_row("samples", diff.totals.samples);
  if (has(diff.operations.wait_ns)) time_row("waited", diff.operations.wait_ns);
  const auto bytes_row = [&](const char* label, const Change& change) {
    row(label, format_bytes(whole(change.base)), format_bytes(whole(change.now)),
        bytes_change_text(change), change);
  };
  if (has(diff.heap.allocations)) {
    count_row("allocations", diff.heap.allocations);
    bytes_row("allocated", diff.heap.allocated_bytes);
    bytes_row("peak", diff.heap.peak_bytes);
    bytes_row("leaked", diff.heap.leaked_bytes);
  }
  if (has(diff.operations.thrown)) count_row("exceptions", diff.operations.thrown);
  count_row(diff.sampled ? "operations" : "calls", diff.totals.calls);
  count_row("functions", diff.totals.functions);
  count_row("processes", diff.totals.processes);
  count_row("threads", diff.totals.threads);
}

// The two recordings next to each other.
void write_sides(std::ostream& out, const TextStyle& style, const ProfileDiff& diff) {
  TextTable table({{"", true, 0}, {"BASE", true}, {"NEW", true}, {"change", true}});
  add_facts(table, style, diff);
  add_sums(table, diff);
  table.write(out, style);
}

void write_warnings(std::ostream& out, const TextStyle& style, const ProfileDiff& diff) {
  for (const Profile* profile : {diff.base, diff.now}) {
    const char* side = profile == diff.base ? "BASE" : "NEW";
    for (const auto& loss : merged_losses(*profile)) {
      if (!is_real_loss(loss.kind)) continue;
      write_fact(out, style, side, "lost " + describe_loss(loss), Tint::kWarm);
    }
    if (!profile->damage.empty()) {
      write_fact(out, style, side, "the file is damaged; see spyglass verify", Tint::kHot);
    }
    if (!profile->range_note.empty()) write_fact(out, style, side, profile->range_note);
  }
}

const Change& split_subject(const FunctionDiff& function, DiffKey key) {
  if (key == DiffKey::kTotal) return function.wall_total_ns;
  return key == DiffKey::kCpu ? function.cpu_self_ns : function.wall_self_ns;
}

std::string_view key_title(DiffKey key) {
  switch (key) {
    case DiffKey::kSelf:
      return "self wall time";
    case DiffKey::kTotal:
      return "total wall time";
    case DiffKey::kCpu:
      return "CPU time";
    case DiffKey::kCalls:
      return "calls";
    case DiffKey::kMean:
      return "mean duration";
    case DiffKey::kP99:
      return "99th percentile";
    case DiffKey::kSamples:
      return "samples";
    case DiffKey::kDrift:
      return "drift";
  }
  return "";
}

Cell drift_cell(const FunctionDiff& function, bool wide) {
  if (!function.drift) return {"-", Tint::kDim};
  const std::string_view level = drift_level(function.drift);
  if (level == "none") return {"none", Tint::kDim};
  const bool high = level == "high";
  std::string text = high ? "high" : "mod.";
  if (wide) text += fmt::format(" {:.{}f}", *function.drift, *function.drift < 10 ? 2 : 0);
  return {std::move(text), high ? Tint::kHot : Tint::kWarm};
}

std::vector<Column> common_columns(bool wide, std::string_view relative_title) {
  const std::size_t gap = wide ? 2 : 1;
  std::vector<Column> columns = {{"self", false, 0}, {"by calls"}, {"by speed", false, gap}};
  if (wide) columns.push_back({std::string(relative_title)});
  for (const char* title : {"total", "CPU", "calls", "mean", "p99"}) {
    columns.push_back({title, false, columns.size() == 3 ? 2 : gap});
  }
  columns.push_back({"drift", true, gap});
  columns.push_back({"function", true});
  return columns;
}

void write_common(std::ostream& out, const TextStyle& style, const ProfileDiff& diff,
                  const DiffView& view, const std::vector<const FunctionDiff*>& rows) {
  constexpr std::size_t kRoomForAll = 120;  // columns of the terminal
  const bool wide = style.width == 0 || style.width >= kRoomForAll;
  const char* title = view.key == DiffKey::kTotal ? "total"
                      : view.key == DiffKey::kCpu ? "CPU"
                                                  : "self";
  TextTable table(common_columns(wide, std::string(title) + "%"));
  const double reference = std::max({diff.totals.wall_ns.base, diff.totals.wall_ns.now, 1.0});
  const std::size_t count = view.top == 0 ? rows.size() : std::min(view.top, rows.size());
  for (std::size_t i = 0; i < count; ++i) {
    const FunctionDiff& function = *rows[i];
    const Change& subject = split_subject(function, view.key);
    const Split split = split_change(function.calls, subject);
    const bool strong = std::fabs(function.wall_self_ns.delta()) >= 0.05 * reference;
    std::vector<Cell> cells = {duration_change(function.wall_self_ns.delta()),
                               {format_duration_change(split.more_calls), Tint::kDim},
                               {format_duration_change(split.slower_calls), Tint::kDim}};
    if (wide) {
      cells.push_back({subject.delta() == 0 ? "0" : format_percent_change(relative(subject)),
                       direction(subject.delta())});
    }
    cells.push_back(duration_change(function.wall_total_ns.delta()));
    cells.push_back(duration_change(function.cpu_self_ns.delta()));
    cells.push_back(
        {format_count_change(function.calls.delta()), direction(function.calls.delta())});
    cells.push_back(duration_change(function.mean_ns.delta()));
    cells.push_back(duration_change(function.p99_ns.delta()));
    cells.push_back(drift_cell(function, wide));
    cells.push_back({shown_name(style, function.function()),
                     strong ? Tint::kStrong : Tint::kNone,
                     {},
                     source_place(style, function.function()),
                     true});
    table.add(std::move(cells));
  }
  note_rest(table, rows.size(), count);
  write_heading(out, style, fmt::format("Functions by change of {}", key_title(view.key)),
                fmt::format("{} = by calls + by speed", title));
  table.write(out, style);
}

// Functions that only one side has.
void write_one_sided(std::ostream& out, const TextStyle& style, const DiffView& view,
                     const std::vector<const FunctionDiff*>& rows, bool is_new) {
  if (rows.empty()) return;
  TextTable table(
      {{"calls", false, 0}, {"total"}, {"self"}, {"CPU"}, {"mean"}, {"function", true}});
  const auto value = [&](const Change& change) { return is_new ? change.now : change.base; };
  const std::size_t count = view.top == 0 ? rows.size() : std::min(view.top, rows.size());
  const Tint tint = is_new ? Tint::kMore : Tint::kLess;
  for (std::size_t i = 0; i < count; ++i) {
    const FunctionDiff& function = *rows[i];
    table.add({{format_count(whole(value(function.calls)))},
               {format_duration(value(function.wall_total_ns))},
               {format_duration(value(function.wall_self_ns)), tint},
               {format_duration(value(function.cpu_self_ns))},
               {format_duration(value(function.mean_ns))},
               {shown_name(style, function.function()),
                Tint::kNone,
                {},
                source_place(style, function.function()),
                true}});
  }
  if (count < rows.size()) table.add_note(fmt::format("and {} more", rows.size() - count));
  write_heading(out, style, is_new ? "New functions" : "Vanished functions",
                is_new ? "only in NEW" : "only in BASE");
  table.write(out, style);
}

void write_paths(std::ostream& out, const TextStyle& style, const ProfileDiff& diff,
                 const DiffView& view) {
  constexpr std::uint32_t kDeepestIndent = 24;
  const auto visible = visible_paths(diff, view);
  TextTable table(
      {{"total", false, 0}, {"self"}, {"calls"}, {"base"}, {"new"}, {"call path", true}});
  std::vector<std::uint32_t> open;  // to visit, next one last
  const auto push_children = [&](const PathDiff& path) {
    // NOLINTNEXTLINE(modernize-loop-convert): views are beyond clang 14
    for (auto child = path.children.rbegin(); child != path.children.rend(); ++child) {
      if (visible[*child]) open.push_back(*child);
    }
  };
  push_children(diff.paths.front());
  std::size_t rows = 0;
  while (!open.empty()) {
    const PathDiff& path = diff.paths[open.back()];
    open.pop_back();
    if (view.top != 0 && rows++ == view.top) {
      table.add_note(fmt::format("… cut after {} lines (--top)", view.top));
      break;
    }
    const std::uint32_t levels = path.depth - 1;
    std::string lead = std::string(2 * std::min(levels, kDeepestIndent), ' ');
    if (levels > kDeepestIndent) lead += fmt::format("[{}] ", path.depth);
    const char* mark = path.in_base == path.in_new ? "" : path.in_new ? "new" : "vanished";
    const Change& total = diff.sampled ? path.cpu_total_ns : path.wall_total_ns;
    table.add({duration_change(total.delta()),
               {diff.sampled ? "" : format_duration_change(path.wall_self_ns.delta()),
                direction(path.wall_self_ns.delta())},
               {format_count_change(path.calls.delta()), direction(path.calls.delta())},
               {format_duration(total.base), Tint::kDim},
               {format_duration(total.now), Tint::kDim},
               {shown_name(style, *path.function), Tint::kNone, lead, mark, true}});
    push_children(path);
  }
  if (diff.sampled) table.drop_empty_columns();
  write_heading(out, style,
                diff.sampled ? "Call paths by change of CPU time"
                             : "Call paths by change of total wall time");
  if (table.empty()) {
    out << "no call path changed enough to be shown\n";
  } else {
    table.write(out, style);
  }
}

}  // namespace

void write_diff(std::ostream& out, const TextStyle& style, const ProfileDiff& diff,
                const DiffView& view) {
  write_sides(out, style, diff);
  write_warnings(out, style, diff);
  if (diff.empty()) {
    out << "\nno difference\n";
    return;
  }
  std::vector<const FunctionDiff*> common;
  std::vector<const FunctionDiff*> added;
  std::vector<const FunctionDiff*> vanished;
  std::size_t hidden = 0;
  for (const FunctionDiff& function : diff.functions) {
    if (function.function().kind == FunctionKind::kOperation) continue;  // see its own rows
    if (function.only_memory()) continue;                                // likewise
    if (!function.is_common() && !diff.sampled && !function.is_one_sided_by_chance()) {
      (function.base == nullptr ? added : vanished).push_back(&function);
    } else if (is_shown(diff, view, function)) {
      common.push_back(&function);
    } else if (function.changed()) {
      ++hidden;
    }
  }
  if (view.tree) {
    write_paths(out, style, diff, view);
  } else if (diff.sampled) {
    write_sampled_diff(out, style, diff, view, common);
  } else if (!common.empty()) {
    write_common(out, style, diff, view, common);
  }
  if (hidden > 0 && !view.tree) {
    const std::string text = fmt::format(
        "{} changed by less than {}{} (--threshold)", plural(hidden, "function", "functions"),
        format_percent(view.threshold), diff.sampled ? " or by chance" : "");
    out << (common.empty() ? "\n" : "") << tinted(style, Tint::kDim, text) << '\n';
  }
  if (!diff.sampled) {  // which functions samples hit is chance
    write_one_sided(out, style, view, added, true);
    write_one_sided(out, style, view, vanished, false);
  }
  if (!view.tree) {
    write_operation_diff(out, style, diff.operations, view);
    write_heap_diff(out, style, diff.heap, view);
  }
}

void write_outcomes(std::ostream& out, const TextStyle& style,
                    const std::vector<RuleOutcome>& outcomes) {
  constexpr std::size_t kMostNamed = 10;
  if (outcomes.empty()) return;
  out << '\n';
  for (const RuleOutcome& outcome : outcomes) {
    const bool failed = outcome.failed();
    out << tinted(style, failed ? Tint::kHot : Tint::kStrong, failed ? "REGRESSION" : "fine")
        << "  " << printable(outcome.rule->text) << '\n';
    std::size_t named = 0;
    for (const Violation& violation : outcome.violations) {
      if (named++ == kMostNamed) {
        out << fmt::format("    and {} more\n", outcome.violations.size() - kMostNamed);
        break;
      }
      const Change& change = violation.change;
      const std::string name =
          violation.function == nullptr ? "the recording" : shown_name(style, *violation.function);
      std::string values;
      if (outcome.rule->metric == RuleMetric::kPsi) {
        values = fmt::format("{:.3f}", change.now);
      } else if (counts_things(outcome.rule->metric)) {
        values = fmt::format("{} -> {}", format_count(whole(change.base)),
                             format_count(whole(change.now)));
      } else {
        values = fmt::format("{} -> {}", format_duration(change.base), format_duration(change.now));
      }
      const bool percent = outcome.rule->metric != RuleMetric::kPsi;
      out << fmt::format("    {}  {}{}\n", printable(name), values,
                         percent ? "  " + format_percent_change(relative(change)) : "");
    }
  }
}

}  // namespace spyglass
