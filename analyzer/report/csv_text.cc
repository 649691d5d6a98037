// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"

namespace spyglass {
namespace {

// Whole nanoseconds where there is nothing after the point.
std::string ns_field(double ns) {
  std::string text = fmt::format("{:.3f}", ns);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

}  // namespace

void write_functions_csv(std::ostream& out, const Profile& profile, SortKey key, std::size_t top) {
  out << "name,short_name,module,file,line,calls,wall_total_ns,wall_self_ns,cpu_total_ns,cpu_self_"
         "ns,"
         "mean_ns,p50_ns,p90_ns,p99_ns,min_ns,max_ns,untimed_calls,uncertainty_ns\n";
  const auto order = sorted_functions(profile, key);
  const std::size_t rows = top == 0 ? order.size() : std::min(top, order.size());
  for (std::size_t i = 0; i < rows; ++i) {
    const Function& function = profile.functions[order[i]];
    const Metrics& metrics = function.metrics;
    out << fmt::format("{},{},{},{},{},{}", csv_field(function.name),
                       csv_field(function.short_name), csv_field(function.module),
                       csv_field(function.file),
                       function.line == 0 ? "" : fmt::format("{}", function.line), metrics.calls);
    for (const double ns :
         {metrics.wall_total_ns, metrics.wall_self_ns, metrics.cpu_total_ns, metrics.cpu_self_ns,
          mean_ns(function), quantile_ns(metrics, 0.50), quantile_ns(metrics, 0.90),
          quantile_ns(metrics, 0.99), metrics.min_ns, metrics.max_ns}) {
      out << ',' << ns_field(ns);
    }
    out << fmt::format(",{},{}\n", metrics.untimed_calls, ns_field(metrics.uncertainty_ns));
  }
}

void write_threads_csv(std::ostream& out, const Profile& profile) {
  out << "pid,tid,name,calls,recorded_ns,cpu_ns,wall_ns\n";
  for (const ThreadInfo& thread : profile.threads) {
    const bool known = thread.record.cpu_accuracy != format::CpuAccuracy::kNone;
    out << fmt::format("{},{},{},{},{},{},{}\n", thread.pid, thread.record.tid,
                       csv_field(thread.record.name), thread.calls, ns_field(thread.recorded_ns),
                       known ? ns_field(thread.cpu_ns) : "", ns_field(thread.wall_ns));
  }
}

void write_groups_csv(std::ostream& out, const std::vector<Group>& groups) {
  out << "name,functions,calls,wall_total_ns,wall_self_ns,cpu_total_ns,cpu_self_ns\n";
  for (const Group& group : groups) {
    out << fmt::format("{},{},{},{},{},{},{}\n", csv_field(group.name), group.functions,
                       group.calls, ns_field(group.wall_total_ns), ns_field(group.wall_self_ns),
                       ns_field(group.cpu_total_ns), ns_field(group.cpu_self_ns));
  }
}

}  // namespace spyglass
