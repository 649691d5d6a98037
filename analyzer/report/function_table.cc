// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report/heap_view.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/weight.h"

namespace spyglass {
namespace {

constexpr std::size_t kRoomForShare = 112;  // columns of the terminal

// Estimated times carry a tilde.
std::string time_text(const Metrics& metrics, double ns) {
  return (metrics.untimed_calls > 0 && ns > 0 ? "~" : "") + format_duration(ns);
}

// Not so where a function is known from stacks alone, of samples or of operations.
bool calls_were_counted(const Function& function) {
  return function.metrics.calls != 0 || function.metrics.wall_self_ns > 0;
}

std::vector<Column> function_columns(const Profile& profile, bool share) {
  std::vector<Column> columns = {{"calls", false, 0}, {"total"}, {"self"}};
  if (share) columns.push_back({"self%"});
  columns.push_back({profile.approximate_cpu ? "CPU≈" : "CPU"});
  if (profile.samples != 0) columns.push_back({"samples"});
  columns.push_back({"mean"});
  for (const char* title : {"p50", "p99", "min", "max"})
    columns.push_back({title, false, share ? 2U : 1U});
  columns.push_back({"function", true});
  return columns;
}

void add_function(TextTable& table, const TextStyle& style, const Profile& profile,
                  const Function& function, bool share) {
  const Metrics& metrics = function.metrics;
  const double whole = recorded_wall_ns(profile);
  const double self = metrics.wall_self_ns / whole;
  const bool counted = calls_were_counted(function);
  const auto time = [&](double ns) { return !counted && ns == 0 ? "-" : time_text(metrics, ns); };
  std::vector<Cell> cells;
  cells.push_back({counted ? format_count(metrics.calls) : "-"});
  cells.push_back({time(metrics.wall_total_ns)});
  cells.push_back({time(metrics.wall_self_ns), heat(self)});
  if (share) cells.push_back({counted ? format_percent(self) : "-", heat(self)});
  cells.push_back({time(metrics.cpu_self_ns)});
  if (profile.samples != 0) cells.push_back({format_count(metrics.samples.self)});
  cells.push_back({time(mean_ns(function))});
  // Where no call returned, there is no distribution.
  const bool none = metrics.histogram.buckets.empty();
  for (const double q : {0.50, 0.99}) {
    cells.push_back({none ? "-" : format_duration(quantile_ns(metrics, q))});
  }
  for (const double ns : {metrics.min_ns, metrics.max_ns}) {
    cells.push_back({none ? "-" : format_duration(ns), Tint::kDim});
  }
  const Tint tint = self >= 0.05 ? Tint::kStrong : Tint::kNone;
  cells.push_back({shown_name(style, function), tint, {}, source_place(style, function), true});
  table.add(std::move(cells));
}

// Where no call was timed: CPU time from samples, and time in operations.
void add_sampled(TextTable& table, const TextStyle& style, const Profile& profile,
                 const Function& function) {
  const Metrics& metrics = function.metrics;
  const double whole = whole_of(profile, Weight::kSamples);
  const double self = self_of(metrics, Weight::kSamples) / whole;
  const Tint tint = self >= 0.05 ? Tint::kStrong : Tint::kNone;
  table.add(
      {{format_percent(self), heat(self)},
       {format_duration(metrics.cpu_self_ns), heat(self)},
       {format_percent(total_of(metrics, Weight::kSamples) / whole), Tint::kDim},
       {format_duration(metrics.cpu_total_ns)},
       {format_count(metrics.samples.self)},
       {format_duration(metrics.wall_total_ns), Tint::kDim},
       {shown_name(style, function),
        tint,
        {},
        function.file.empty() && style.width == 0 ? function.module : source_place(style, function),
        true}});
}

void write_sampled(std::ostream& out, const TextStyle& style, const Profile& profile, SortKey key,
                   std::size_t top) {
  auto order = sorted_functions(profile, key);
  std::erase_if(order, [&](std::uint32_t index) {
    return profile.functions[index].metrics.samples.total == 0;
  });
  TextTable table({{"self%", false, 0},
                   {"self"},
                   {"total%"},
                   {"total"},
                   {"samples"},
                   {"waited"},
                   {"function", true}});
  const std::size_t rows = top == 0 ? order.size() : std::min(top, order.size());
  for (std::size_t i = 0; i < rows; ++i) {
    add_sampled(table, style, profile, profile.functions[order[i]]);
  }
  if (rows < order.size()) {
    double rest = 0;
    for (std::size_t i = rows; i < order.size(); ++i) {
      rest += self_of(profile.functions[order[i]].metrics, Weight::kSamples);
    }
    table.add_note(fmt::format("and {} more, {} of the samples (--top 0 shows all)",
                               format_count(order.size() - rows),
                               format_percent(rest / whole_of(profile, Weight::kSamples))));
  }
  table.drop_empty_columns(4);
  write_heading(out, style, "Where the CPU's time went",
                profile.session.sampler == "perf"
                    ? "by samples of user code; total: with what it calls"
                    : "by samples; total: with what it calls");
  table.write(out, style);
}

void write_no_functions(std::ostream& out, const Profile& profile) {
  if (profile.session.memory != format::MemoryMode::kOff) {
    out << "No time of functions was recorded, only memory: spyglass analyze --memory "
        << command_line(&profile.file, &profile.file + 1) << '\n';
    return;
  }
  out << "No function was recorded: nothing was sampled or waited for, and no calls were hooked "
         "(-finstrument-functions).\n";
}

}  // namespace

void write_functions(std::ostream& out, const TextStyle& style, const Profile& profile, SortKey key,
                     std::size_t top) {
  if (!profile.timed_calls && profile.samples != 0) {
    write_sampled(out, style, profile, key, top);
    return;
  }
  auto order = sorted_functions(profile, key);
  std::erase_if(order,
                [&](std::uint32_t index) { return is_untimed(profile, profile.functions[index]); });
  const bool share = style.width == 0 || style.width >= kRoomForShare;
  TextTable table(function_columns(profile, share));
  const std::size_t rows = top == 0 ? order.size() : std::min(top, order.size());
  for (std::size_t i = 0; i < rows; ++i) {
    add_function(table, style, profile, profile.functions[order[i]], share);
  }
  out << '\n';
  if (order.empty()) {
    write_no_functions(out, profile);
    return;
  }
  if (rows < order.size()) {
    double rest_ns = 0;
    for (std::size_t i = rows; i < order.size(); ++i) {
      rest_ns += profile.functions[order[i]].metrics.wall_self_ns;
    }
    table.add_note(fmt::format("and {} more, {} of self time (--top 0 shows all)",
                               format_count(order.size() - rows),
                               format_percent(rest_ns / recorded_wall_ns(profile))));
  }
  if (!profile.timed_calls && !profile.uses.empty()) table.drop_empty_columns();
  table.write(out, style);
}

}  // namespace spyglass
