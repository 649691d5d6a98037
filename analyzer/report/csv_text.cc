// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/report/exception_view.h"
#include "analyzer/report/heap_view.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/wait_view.h"

namespace spyglass {
namespace {

// Whole nanoseconds where there is nothing after the point.
std::string ns_field(double ns) {
  std::string text = fmt::format("{:.3f}", ns);
  while (text.ends_with('0')) text.pop_back();
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::size_t rows_shown(std::size_t rows, std::size_t top) {
  return top == 0 ? rows : std::min(rows, top);
}

// Where no call returned, there is no distribution.
std::string p99_field(const Metrics& metrics) {
  return metrics.histogram.buckets.empty() ? "" : ns_field(quantile_ns(metrics, 0.99));
}

// The names of who did it, and of the operation at `node`.
std::string caller_field(const Profile& profile, std::uint32_t node) {
  return csv_field(responsible_name(profile, profile.nodes[node].parent, true));
}
std::string operation_field(const Profile& profile, std::uint32_t node) {
  return csv_field(std::string(operation_name(profile, node)));
}
// Operation, who did it, and on what.
std::string place_fields(const Profile& profile, const WaitRow& row) {
  return fmt::format("{},{},{}", operation_field(profile, row.node),
                     caller_field(profile, row.node), csv_field(object_text(profile, row.object)));
}

}  // namespace

void write_functions_csv(std::ostream& out, const Profile& profile, SortKey key, std::size_t top) {
  out << "name,short_name,module,file,line,calls,wall_total_ns,wall_self_ns,cpu_total_ns,cpu_self_"
         "ns,"
         "mean_ns,p50_ns,p90_ns,p99_ns,min_ns,max_ns,untimed_calls,uncertainty_ns,"
         "samples_total,samples_self,sampled_cpu_total_ns,sampled_cpu_self_ns\n";
  const auto interval_ns = static_cast<double>(profile.session.sample_interval_ns);
  const auto order = sorted_functions(profile, key);
  const std::size_t rows = rows_shown(order.size(), top);
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
    const Tally& samples = metrics.samples;
    out << fmt::format(",{},{},{},{},{},{}\n", metrics.untimed_calls,
                       ns_field(metrics.uncertainty_ns), samples.total, samples.self,
                       ns_field(static_cast<double>(samples.total) * interval_ns),
                       ns_field(static_cast<double>(samples.self) * interval_ns));
  }
}

void write_threads_csv(std::ostream& out, const Profile& profile) {
  out << "pid,tid,name,calls,recorded_ns,cpu_ns,wall_ns,samples\n";
  for (const ThreadInfo& thread : profile.threads) {
    const bool known = thread.record.cpu_accuracy != format::CpuAccuracy::kNone;
    out << fmt::format("{},{},{},{},{},{},{},{}\n", thread.pid, thread.record.tid,
                       csv_field(thread.record.name), thread.calls, ns_field(thread.recorded_ns),
                       known ? ns_field(thread.cpu_ns) : "", ns_field(thread.wall_ns),
                       thread.samples);
  }
}

void write_groups_csv(std::ostream& out, const std::vector<Group>& groups) {
  out << "name,functions,calls,wall_total_ns,wall_self_ns,cpu_total_ns,cpu_self_ns,samples_total,"
         "samples_self\n";
  for (const Group& group : groups) {
    out << fmt::format("{},{},{},{},{},{},{},{},{}\n", csv_field(group.name), group.functions,
                       group.calls, ns_field(group.wall_total_ns), ns_field(group.wall_self_ns),
                       ns_field(group.cpu_total_ns), ns_field(group.cpu_self_ns),
                       group.samples.total, group.samples.self);
  }
}

void write_waits_csv(std::ostream& out, const Profile& profile, std::size_t top) {
  out << "operation,function,object,calls,open_calls,wall_total_ns,mean_ns,p99_ns,bytes,errors,"
         "off_cpu_ns\n";
  const auto rows = merged_rows(profile, wait_rows(profile, UseKind::kWait));
  for (std::size_t i = 0; i < rows_shown(rows.size(), top); ++i) {
    const WaitRow& row = rows[i];
    const Metrics& metrics = row.metrics;
    out << fmt::format("{},{},{},{},{},{},{},{},{}\n", place_fields(profile, row), metrics.calls,
                       metrics.open_calls, ns_field(metrics.wall_total_ns),
                       ns_field(metrics.mean_ns()), p99_field(metrics), metrics.bytes.self,
                       metrics.errors.self, ns_field(row.off_cpu_ns));
  }
}

void write_locks_csv(std::ostream& out, const Profile& profile, std::size_t top) {
  out << "lock,waits,wait_total_ns,wait_mean_ns,wait_p99_ns,holds,hold_total_ns,longest_holder,"
         "longest_holder_ns\n";
  const auto rows = lock_rows(profile);
  for (std::size_t i = 0; i < rows_shown(rows.size(), top); ++i) {
    const LockRow& row = rows[i];
    std::string holder = ",";
    if (!row.holders.empty()) {
      const Contention& longest = *row.holders.front();
      holder = fmt::format("{},{}", csv_field(responsible_name(profile, longest.holder_node, true)),
                           ns_field(longest.wait_ns));
    }
    out << fmt::format("{},{},{},{},{},{},{},{}\n", csv_field(object_text(profile, row.object)),
                       row.waits.calls, ns_field(row.waits.wall_total_ns),
                       ns_field(row.waits.mean_ns()), p99_field(row.waits), row.holds,
                       ns_field(row.hold_ns), holder);
  }
}

void write_io_csv(std::ostream& out, const Profile& profile, std::size_t top) {
  out << "operation,function,object,calls,wall_total_ns,mean_ns,p99_ns,bytes,errors\n";
  const auto rows = merged_rows(profile, wait_rows(profile, UseKind::kIo));
  for (std::size_t i = 0; i < rows_shown(rows.size(), top); ++i) {
    const WaitRow& row = rows[i];
    const Metrics& metrics = row.metrics;
    out << fmt::format("{},{},{},{},{},{},{}\n", place_fields(profile, row), metrics.calls,
                       ns_field(metrics.wall_total_ns), ns_field(metrics.mean_ns()),
                       p99_field(metrics), metrics.bytes.self, metrics.errors.self);
  }
}

void write_exceptions_csv(std::ostream& out, const Profile& profile, std::size_t top) {
  out << "type,thrown_in,caught_in,escaped,count,cost_ns,frames\n";
  const auto flows = exception_flows(profile);
  for (std::size_t i = 0; i < rows_shown(flows.size(), top); ++i) {
    const ExceptionFlow& flow = flows[i];
    const bool unknown = flow.catch_node == ExceptionFlow::kUnknown;
    const bool caught = flow.catch_node != 0 && !unknown;
    out << fmt::format("{},{},{},{},{},{},{}\n", csv_field(object_text(profile, flow.type)),
                       caller_field(profile, flow.node),
                       caught ? csv_field(responsible_name(profile, flow.catch_node, true)) : "",
                       unknown  ? ""
                       : caught ? "false"
                                : "true",
                       flow.count, caught ? ns_field(flow.cost_ns) : "",
                       caught ? fmt::format("{}", flow.frames) : "");
  }
}

void write_memory_csv(std::ostream& out, const Profile& profile, std::size_t top) {
  out << "operation,function,allocations,allocated_bytes,frees,temporary,peak_bytes,"
         "leaked_bytes\n";
  if (!profile.heap) return;
  const auto rows = heap_function_rows(profile, true);
  for (std::size_t i = 0; i < rows_shown(rows.size(), top); ++i) {
    const HeapStack& sum = rows[i].sum;
    out << fmt::format("{},{},{},{},{},{},{},{}\n", operation_field(profile, sum.node),
                       csv_field(rows[i].function), sum.allocations, sum.allocated_bytes, sum.frees,
                       sum.temporary, sum.peak_bytes, sum.leaked_bytes);
  }
}

}  // namespace spyglass
