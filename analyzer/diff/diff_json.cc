// SPDX-License-Identifier: Apache-2.0
// Writes "spyglass-diff/1", docs/json.md. Every number named `change`, `more_calls` or
// `slower_calls` turns its sign, and only that, when the recordings are swapped.
#include <fmt/format.h>

#include <cmath>

#include "analyzer/diff/change_json.h"
#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/drift.h"
#include "analyzer/diff/operation_report.h"
#include "analyzer/report/flaws_json.h"
#include "analyzer/report/json_writer.h"
#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"

namespace spyglass {
namespace {

void write_split_change(JsonWriter& json, std::string_view key, const Change& calls,
                        const Change& time) {
  const Split split = split_change(calls, time);
  json.key(key).begin_object();
  json.key("base").number(time.base);
  json.key("new").number(time.now);
  json.key("change").number(time.delta());
  json.key("more_calls").number(split.more_calls);
  json.key("slower_calls").number(split.slower_calls);
  json.end_object();
}

void write_recording(JsonWriter& json, std::string_view key, const Profile& profile) {
  json.new_line();
  json.key(key).begin_object();
  json.key("file").text(profile.file);
  json.key("uuid").text(profile.uuid);
  json.key("started").text(format_iso8601(profile.session.start.unix_ns));
  json.key("duration_ns").number(profile.duration_ns);
  json.key("command").begin_array();
  for (const std::string& word : profile.session.command) json.text(word);
  json.end_array();
  json.key("host").text(profile.session.host);
  json.key("version").text(profile.session.version);
  json.key("complete").boolean(profile.end.has_value());
  json.key("damaged").boolean(!profile.damage.empty());
  write_losses_json(json, profile);
  json.end_object();
}

void write_place(JsonWriter& json, const FunctionDiff& function) {
  const TextStyle full{.color = false, .width = 0, .full_names = true, .interactive = false};
  json.key("source").begin_object();
  const auto write_side = [&](std::string_view key, const Function* side) {
    const std::string place = side == nullptr ? "" : source_place(full, *side);
    json.key(key);
    if (place.empty()) json.null();
    if (!place.empty()) json.text(place);
  };
  write_side("base", function.base);
  write_side("new", function.now);
  json.end_object();
}

void write_samples(JsonWriter& json, const Change& self, const Change& total) {
  json.key("samples").begin_object();
  for (const auto& [key, change] : {std::pair("self", self), std::pair("total", total)}) {
    json.key(key).begin_object();
    json.key("base").number(change.base);
    json.key("new").number(change.now);
    json.key("change").number(change.delta());
    json.key("sigmas").number(sigmas(change));
    json.end_object();
  }
  json.end_object();
}

void write_function(JsonWriter& json, const FunctionDiff& function) {
  json.new_line();
  json.begin_object();
  json.key("name").text(function.function().name);
  json.key("short_name").text(function.function().short_name);
  json.key("module").text(module_name(function.function().module));
  write_place(json, function);
  write_change(json, "calls", function.calls);
  json.key("wall_ns").begin_object();
  write_split_change(json, "self", function.calls, function.wall_self_ns);
  write_split_change(json, "total", function.calls, function.wall_total_ns);
  write_change(json, "mean", function.mean_ns);
  write_change(json, "p99", function.p99_ns);
  json.end_object();
  json.key("cpu_ns").begin_object();
  write_split_change(json, "self", function.calls, function.cpu_self_ns);
  write_split_change(json, "total", function.calls, function.cpu_total_ns);
  json.end_object();
  write_samples(json, function.self_samples, function.total_samples);
  write_change(json, "bytes", function.bytes);
  write_change(json, "errors", function.errors);
  write_change(json, "allocations", function.allocations);
  write_change(json, "allocated_bytes", function.allocated_bytes);
  write_change(json, "peak_bytes", function.peak_bytes);
  write_change(json, "leaked_bytes", function.leaked_bytes);
  json.key("drift").begin_object();
  json.key("psi").number(function.drift.value_or(std::nan("")));
  json.key("level").text(drift_level(function.drift));
  json.end_object();
  json.end_object();
}

enum class Presence { kCommon, kAdded, kVanished };

Presence presence(const FunctionDiff& function) {
  if (function.is_common() || function.is_one_sided_by_chance()) return Presence::kCommon;
  return function.base == nullptr ? Presence::kAdded : Presence::kVanished;
}

void write_functions(JsonWriter& json, std::string_view key, const ProfileDiff& diff,
                     const DiffView& view, Presence wanted) {
  json.new_line();
  json.key(key).begin_array();
  for (const FunctionDiff& function : diff.functions) {
    // Operations have rows of their own.
    if (function.function().kind == FunctionKind::kOperation) continue;
    if (presence(function) != wanted || !is_shown(diff, view, function)) continue;
    write_function(json, function);
  }
  json.end_array();
}

// Changed paths and those above them, numbered from 1 in depth-first order.
void write_paths(JsonWriter& json, const ProfileDiff& diff, const DiffView& view) {
  const auto visible = visible_paths(diff, view);
  std::vector<std::size_t> ids(diff.paths.size());
  std::size_t next_id = 0;
  std::vector<std::uint32_t> open = {0};
  json.new_line();
  json.key("paths").begin_array();
  while (!open.empty()) {
    const std::uint32_t index = open.back();
    const PathDiff& path = diff.paths[index];
    open.pop_back();
    // NOLINTNEXTLINE(modernize-loop-convert): views are beyond clang 14
    for (auto child = path.children.rbegin(); child != path.children.rend(); ++child) {
      if (visible[*child]) open.push_back(*child);
    }
    if (index == 0) continue;
    ids[index] = ++next_id;
    json.new_line();
    json.begin_object();
    json.key("id").count(ids[index]);
    json.key("parent");
    if (path.parent == 0) json.null();
    if (path.parent != 0) json.count(ids[path.parent]);
    json.key("name").text(path.function->name);
    json.key("module").text(module_name(path.function->module));
    write_change(json, "calls", path.calls);
    json.key("wall_ns").begin_object();
    write_change(json, "self", path.wall_self_ns);
    write_change(json, "total", path.wall_total_ns);
    json.end_object();
    json.key("cpu_ns").begin_object();
    write_change(json, "total", path.cpu_total_ns);
    json.end_object();
    write_change(json, "samples", path.samples);
    json.end_object();
  }
  json.end_array();
}

void write_checks(JsonWriter& json, const std::vector<RuleOutcome>& outcomes) {
  json.new_line();
  json.key("checks").begin_array();
  for (const RuleOutcome& outcome : outcomes) {
    json.new_line();
    json.begin_object();
    json.key("expression").text(outcome.rule->text);
    json.key("metric").text(rule_metric_name(outcome.rule->metric));
    json.key("failed").boolean(outcome.failed());
    json.key("violations").begin_array();
    for (const Violation& violation : outcome.violations) {
      json.begin_object();
      json.key("function");
      if (violation.function == nullptr) json.null();
      if (violation.function != nullptr) json.text(violation.function->name);
      json.key("base").number(violation.change.base);
      json.key("new").number(violation.change.now);
      json.key("change").number(violation.change.delta());
      json.end_object();
    }
    json.end_array();
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_diff_json(std::ostream& out, const ProfileDiff& diff, const DiffView& view,
                     const std::vector<RuleOutcome>& outcomes) {
  JsonWriter json(out);
  json.begin_object();
  json.key("schema").text("spyglass-diff/1");
  write_recording(json, "base", *diff.base);
  write_recording(json, "new", *diff.now);
  json.new_line();
  json.key("summary").begin_object();
  write_change(json, "duration_ns", diff.totals.duration_ns);
  write_change(json, "wall_ns", diff.totals.wall_ns);
  write_change(json, "cpu_ns", diff.totals.cpu_ns);
  write_change(json, "calls", diff.totals.calls);
  write_change(json, "functions", diff.totals.functions);
  write_change(json, "processes", diff.totals.processes);
  write_change(json, "threads", diff.totals.threads);
  write_change(json, "samples", diff.totals.samples);
  write_change(json, "wait_ns", diff.operations.wait_ns);
  write_change(json, "lock_wait_ns", diff.operations.lock_wait_ns);
  write_change(json, "io_ns", diff.operations.io_ns);
  write_change(json, "bytes", diff.operations.bytes);
  write_change(json, "errors", diff.operations.errors);
  write_change(json, "exceptions", diff.operations.thrown);
  write_estimate(json, "allocations", diff.heap.allocations);
  write_estimate(json, "allocated_bytes", diff.heap.allocated_bytes);
  write_estimate(json, "peak_bytes", diff.heap.peak_bytes);
  write_estimate(json, "leaked_bytes", diff.heap.leaked_bytes);
  json.end_object();
  json.key("equal").boolean(diff.empty());
  write_functions(json, "functions", diff, view, Presence::kCommon);
  write_functions(json, "added", diff, view, Presence::kAdded);
  write_functions(json, "vanished", diff, view, Presence::kVanished);
  if (view.tree) write_paths(json, diff, view);
  write_operation_diff_json(json, diff.operations, view);
  write_heap_diff_json(json, diff.heap, view);
  write_checks(json, outcomes);
  json.end_object();
}

}  // namespace spyglass
