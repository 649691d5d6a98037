// SPDX-License-Identifier: Apache-2.0
// Writes "spyglass-analyze/1", docs/json.md. Fields may be added there; none may change its
// meaning.
#include <cmath>
#include <set>

#include "analyzer/report/flaws_json.h"
#include "analyzer/report/heap_json.h"
#include "analyzer/report/json_writer.h"
#include "analyzer/report/loss_text.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "analyzer/report/wait_json.h"

namespace spyglass {
namespace {

void write_strings(JsonWriter& json, std::string_view key, const std::vector<std::string>& texts) {
  json.key(key).begin_array();
  for (const std::string& text : texts) json.text(text);
  json.end_array();
}

void write_exit(JsonWriter& json, const format::ProcessRecord& process) {
  json.key("exit");
  if (process.exit == format::ExitKind::kExited) {
    json.begin_object();
    json.key("code").count(process.exit_value);
    json.end_object();
  } else if (process.exit == format::ExitKind::kSignaled) {
    json.begin_object();
    json.key("signal").count(process.exit_value);
    json.key("name").text(signal_name(process.exit_value));
    json.end_object();
  } else {
    json.null();
  }
}

void write_recording(JsonWriter& json, const Profile& profile) {
  const auto& session = profile.session;
  json.key("recording").begin_object();
  json.key("file").text(profile.file);
  json.key("file_bytes").count(profile.file_bytes);
  json.key("uuid").text(profile.uuid);
  json.key("started").text(format_iso8601(session.start.unix_ns));
  json.key("duration_ns").number(profile.duration_ns);
  write_strings(json, "command", session.command);
  json.key("working_directory").text(session.working_directory);
  json.key("host").text(session.host);
  json.key("kernel").text(session.kernel);
  json.key("processors").count(session.processors);
  json.key("version").text(session.version);
  json.key("complete").boolean(profile.end.has_value());
  json.key("interrupted").boolean(profile.end && profile.end->interrupted);
  json.key("cpu").text(profile.sampled_cpu       ? "sampled"
                       : profile.approximate_cpu ? "approximate"
                                                 : "exact");
  json.key("recorded_wall_ns")
      .number(profile.nodes.empty() ? 0 : profile.nodes.front().metrics.wall_total_ns);
  json.key("spans").count(profile.spans);
  json.key("range").begin_object();
  json.key("start_ns").number(profile.range_start_ns);
  json.key("end_ns").number(profile.range_end_ns);
  json.key("note").text(profile.range_note);
  json.end_object();
  json.end_object();
}

std::string_view ending_name(format::ExitKind kind) {
  switch (kind) {
    case format::ExitKind::kExited:
      return "exited";
    case format::ExitKind::kSignaled:
      return "signaled";
    case format::ExitKind::kExeced:
      return "execed";
    case format::ExitKind::kRunning:
      return "running";
    case format::ExitKind::kUnknown:
      break;
  }
  return "unknown";
}

void write_processes(JsonWriter& json, const Profile& profile) {
  json.key("processes").begin_array();
  for (const ProcessInfo& process : profile.processes) {
    json.new_line();
    json.begin_object();
    json.key("pid").count(process.record.pid);
    json.key("ppid").count(process.record.ppid);
    write_strings(json, "command", process.record.command);
    json.key("executable").text(process.record.executable);
    write_exit(json, process.record);
    json.key("ended").text(ending_name(process.record.exit));
    json.key("forked").boolean(process.record.forked);
    json.key("threads").count(process.threads);
    json.key("calls").count(process.calls);
    json.end_object();
  }
  json.end_array();
}

void write_threads(JsonWriter& json, const Profile& profile) {
  json.key("threads").begin_array();
  for (const ThreadInfo& thread : profile.threads) {
    json.new_line();
    json.begin_object();
    json.key("pid").count(thread.pid);
    json.key("tid").count(thread.record.tid);
    json.key("name").text(thread.record.name);
    json.key("wall_ns").number(thread.wall_ns);
    json.key("cpu_ns");
    const bool known = thread.record.cpu_accuracy != format::CpuAccuracy::kNone;
    if (known) json.number(thread.cpu_ns);
    if (!known) json.null();
    json.key("cpu").text(!known ? "unknown"
                         : thread.record.cpu_accuracy == format::CpuAccuracy::kExact
                             ? "exact"
                             : "approximate");
    json.key("recorded_ns").number(thread.recorded_ns);
    json.key("calls").count(thread.calls);
    write_thread_time_json(json, thread);
    json.end_object();
  }
  json.end_array();
}

void write_tally(JsonWriter& json, std::string_view key, const Tally& tally) {
  json.key(key).begin_object();
  json.key("self").count(tally.self);
  json.key("total").count(tally.total);
  json.end_object();
}

std::string_view kind_name(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::kFunction:
      return "function";
    case FunctionKind::kOperation:
      return "operation";
    case FunctionKind::kUnnamed:
      return "unnamed";
    case FunctionKind::kSpecial:
      break;
  }
  return "special";
}

void write_function(JsonWriter& json, const Function& function, bool demoted) {
  const Metrics& metrics = function.metrics;
  json.new_line();
  json.begin_object();
  json.key("name").text(function.name);
  json.key("short_name").text(function.short_name);
  json.key("kind").text(kind_name(function.kind));
  json.key("symbol").text(function.symbol);
  json.key("module").text(function.module);
  json.key("file");
  if (function.file.empty()) json.null();
  if (!function.file.empty()) json.text(function.file);
  json.key("line");
  if (function.line == 0) json.null();
  if (function.line != 0) json.count(function.line);
  json.key("calls").count(metrics.calls);
  json.key("open_calls").count(metrics.open_calls);
  json.key("wall_ns").begin_object();
  json.key("total").number(metrics.wall_total_ns);
  json.key("self").number(metrics.wall_self_ns);
  json.key("min").number(metrics.min_ns);
  json.key("max").number(metrics.max_ns);
  json.key("mean").number(mean_ns(function));
  json.key("p50").number(quantile_ns(metrics, 0.50));
  json.key("p90").number(quantile_ns(metrics, 0.90));
  json.key("p99").number(quantile_ns(metrics, 0.99));
  json.end_object();
  json.key("cpu_ns").begin_object();
  json.key("total").number(metrics.cpu_total_ns);
  json.key("self").number(metrics.cpu_self_ns);
  json.end_object();
  write_tally(json, "samples", metrics.samples);
  write_tally(json, "bytes", metrics.bytes);
  write_tally(json, "errors", metrics.errors);
  json.key("demoted").boolean(demoted);
  json.key("untimed_calls").count(metrics.untimed_calls);
  json.key("uncertainty_ns").number(metrics.uncertainty_ns);
  json.key("histogram").begin_array();
  for (const format::BucketCount& bucket : metrics.histogram.buckets) {
    json.begin_array();
    json.count(bucket.bucket);
    json.count(bucket.count);
    json.end_array();
  }
  json.end_array();
  json.end_object();
}

// Functions in the order asked for; `position` says where each went.
void write_functions(JsonWriter& json, const Profile& profile, SortKey key,
                     std::vector<std::uint32_t>& position) {
  const std::set<std::string> demoted(profile.demoted.begin(), profile.demoted.end());
  const auto order = sorted_functions(profile, key);
  position.resize(order.size());
  json.key("histogram_scale").count(format::kHistogramScale);
  json.key("functions").begin_array();
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    const Function& function = profile.functions[order[i]];
    position[order[i]] = i;
    write_function(json, function,
                   function.metrics.untimed_calls > 0 || demoted.contains(function.name));
  }
  json.end_array();
}

void write_nodes(JsonWriter& json, const Profile& profile,
                 const std::vector<std::uint32_t>& position) {
  json.key("tree").begin_array();
  for (std::size_t i = 1; i < profile.nodes.size(); ++i) {
    const TreeNode& node = profile.nodes[i];
    json.new_line();
    json.begin_object();
    json.key("id").count(i);
    json.key("parent");
    if (node.parent == 0) json.null();
    if (node.parent != 0) json.count(node.parent);
    json.key("function").count(position[node.function]);
    json.key("calls").count(node.metrics.calls);
    json.key("wall_ns").begin_object();
    json.key("total").number(node.metrics.wall_total_ns);
    json.key("self").number(node.metrics.wall_self_ns);
    json.end_object();
    json.key("cpu_ns").begin_object();
    json.key("total").number(node.metrics.cpu_total_ns);
    json.key("self").number(node.metrics.cpu_self_ns);
    json.end_object();
    write_tally(json, "samples", node.metrics.samples);
    json.end_object();
  }
  json.end_array();
}

void write_groups(JsonWriter& json, const std::vector<Group>& groups) {
  if (groups.empty()) return;
  json.key("groups").begin_array();
  for (const Group& group : groups) {
    json.new_line();
    json.begin_object();
    json.key("name").text(group.name);
    json.key("functions").count(group.functions);
    json.key("calls").count(group.calls);
    json.key("wall_ns").begin_object();
    json.key("total").number(group.wall_total_ns);
    json.key("self").number(group.wall_self_ns);
    json.end_object();
    json.key("cpu_ns").begin_object();
    json.key("total").number(group.cpu_total_ns);
    json.key("self").number(group.cpu_self_ns);
    json.end_object();
    write_tally(json, "samples", group.samples);
    json.end_object();
  }
  json.end_array();
}

void write_flaws(JsonWriter& json, const Profile& profile) {
  write_losses_json(json, profile);
  json.key("coverage").begin_array();
  for (const format::CoverageRecord& record : profile.coverage) {
    json.new_line();
    json.begin_object();
    json.key("subject").text(record.subject);
    json.key("reason").text(record.reason);
    json.end_object();
  }
  json.end_array();
  write_damage_json(json, profile.damage);
}

}  // namespace

void write_json(std::ostream& out, const Profile& profile, SortKey key,
                const std::vector<Group>& groups) {
  JsonWriter json(out);
  json.begin_object();
  json.key("schema").text("spyglass-analyze/1");
  write_recording(json, profile);
  write_processes(json, profile);
  write_threads(json, profile);
  write_samples_json(json, profile);
  std::vector<std::uint32_t> position;
  write_functions(json, profile, key, position);
  write_nodes(json, profile, position);
  write_groups(json, groups);
  write_operations_json(json, profile, position);
  write_heap_json(json, profile, position);
  write_flaws(json, profile);
  json.end_object();
}

}  // namespace spyglass
