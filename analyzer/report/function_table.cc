// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"

namespace spyglass {
namespace {

constexpr std::size_t kRoomForShare = 112;  // columns of the terminal

// Estimated times carry a tilde.
std::string time_text(const Metrics& metrics, double ns) {
  return (metrics.untimed_calls > 0 && ns > 0 ? "~" : "") + format_duration(ns);
}

std::vector<Column> function_columns(bool approximate_cpu, bool share) {
  std::vector<Column> columns = {{"calls", false, 0}, {"total"}, {"self"}};
  if (share) columns.push_back({"self%"});
  columns.push_back({approximate_cpu ? "CPU≈" : "CPU"});
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
  std::vector<Cell> cells;
  cells.push_back({format_count(metrics.calls)});
  cells.push_back({time_text(metrics, metrics.wall_total_ns)});
  cells.push_back({time_text(metrics, metrics.wall_self_ns), heat(self)});
  if (share) cells.push_back({format_percent(self), heat(self)});
  cells.push_back({time_text(metrics, metrics.cpu_self_ns)});
  cells.push_back({time_text(metrics, mean_ns(function))});
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

}  // namespace

void write_functions(std::ostream& out, const TextStyle& style, const Profile& profile, SortKey key,
                     std::size_t top) {
  const auto order = sorted_functions(profile, key);
  const bool share = style.width == 0 || style.width >= kRoomForShare;
  TextTable table(function_columns(profile.approximate_cpu, share));
  const std::size_t rows = top == 0 ? order.size() : std::min(top, order.size());
  for (std::size_t i = 0; i < rows; ++i) {
    add_function(table, style, profile, profile.functions[order[i]], share);
  }
  out << '\n';
  if (order.empty()) {
    out << "No function was recorded. Functions show when they are compiled with "
           "-finstrument-functions.\n";
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
  table.write(out, style);
}

}  // namespace spyglass
