// SPDX-License-Identifier: Apache-2.0
// Changes of samples, waits, locks, I/O and exceptions as tables.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzer/diff/change_json.h"
#include "analyzer/diff/change_text.h"
#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/operation_report.h"
#include "analyzer/report/json_writer.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"

namespace spyglass {
namespace {

// Rows whose time (or number) changed by at least `threshold` of the whole.
std::vector<const OperationRow*> shown_rows(const std::vector<OperationRow>& rows,
                                            const Change& whole, double threshold, bool by_count) {
  std::vector<const OperationRow*> shown;
  const double least = threshold * std::max(whole.base, whole.now);
  for (const OperationRow& row : rows) {
    const Change& change = by_count ? row.calls : row.wall_ns;
    if (row.changed() && std::fabs(change.delta()) >= least) shown.push_back(&row);
  }
  return shown;
}

void write_rows(std::ostream& out, const TextStyle& style, const DiffView& view,
                std::string_view title, const std::vector<const OperationRow*>& rows) {
  if (rows.empty()) return;
  TextTable table({{"time", false, 0},
                   {"base"},
                   {"new"},
                   {"calls"},
                   {"p99"},
                   {"bytes"},
                   {"errors"},
                   {"held"},
                   {"operation", true},
                   {"in", true},
                   {"on", true}});
  const std::size_t count = view.top == 0 ? rows.size() : std::min(view.top, rows.size());
  for (std::size_t i = 0; i < count; ++i) {
    const OperationRow& row = *rows[i];
    const std::string& catcher = style.full_names ? row.catcher : row.short_catcher;
    const std::string caught = catcher.empty() ? "" : ", caught in " + catcher;
    table.add({time_cell(row.wall_ns),
               {format_duration(row.wall_ns.base), Tint::kDim},
               {format_duration(row.wall_ns.now), Tint::kDim},
               count_cell(row.calls),
               time_cell(row.p99_ns),
               count_cell(row.bytes),
               count_cell(row.errors),
               time_cell(row.hold_ns),
               {row.operation},
               {style.full_names ? row.function : row.short_function},
               {row.object + caught, Tint::kStrong}});
  }
  note_rest(table, rows.size(), count);
  table.drop_empty_columns();
  write_heading(out, style, title);
  table.write(out, style);
}

enum class RowKind { kWait, kLock, kIo, kException };

void write_rows_json(JsonWriter& json, std::string_view key, RowKind kind,
                     const std::vector<const OperationRow*>& rows) {
  json.new_line();
  json.key(key).begin_array();
  for (const OperationRow* row : rows) {
    json.new_line();
    json.begin_object();
    if (kind == RowKind::kWait) json.key("operation").text(row->operation);
    json.key(kind == RowKind::kException ? "type" : "object").text(row->object);
    if (kind == RowKind::kWait || kind == RowKind::kException) {
      json.key("function").text(row->function);
    }
    if (kind == RowKind::kException) {
      json.key("caught_in");
      row->catcher.empty() ? json.null() : json.text(row->catcher);
      write_change(json, "count", row->calls);
      write_change(json, "cost_ns", row->wall_ns);
    } else {
      write_change(json, "calls", row->calls);
      write_change(json, "wall_ns", row->wall_ns);
      write_change(json, "p99_ns", row->p99_ns);
    }
    if (kind == RowKind::kLock) write_change(json, "hold_ns", row->hold_ns);
    if (kind == RowKind::kWait || kind == RowKind::kIo) {
      write_change(json, "bytes", row->bytes);
      write_change(json, "errors", row->errors);
    }
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_operation_diff(std::ostream& out, const TextStyle& style, const OperationDiff& diff,
                          const DiffView& view) {
  const double threshold = view.threshold;
  write_rows(out, style, view, "Waits by change of their time",
             shown_rows(diff.waits, diff.wait_ns, threshold, false));
  write_rows(out, style, view, "Locks by change of the time waited",
             shown_rows(diff.locks, diff.lock_wait_ns, threshold, false));
  write_rows(out, style, view, "I/O by change of its time",
             shown_rows(diff.io, diff.io_ns, threshold, false));
  write_rows(out, style, view, "Exceptions by change of their number",
             shown_rows(diff.exceptions, diff.thrown, threshold, true));
}

void write_operation_diff_json(JsonWriter& json, const OperationDiff& diff, const DiffView& view) {
  const double threshold = view.threshold;
  write_rows_json(json, "waits", RowKind::kWait,
                  shown_rows(diff.waits, diff.wait_ns, threshold, false));
  write_rows_json(json, "locks", RowKind::kLock,
                  shown_rows(diff.locks, diff.lock_wait_ns, threshold, false));
  write_rows_json(json, "io", RowKind::kIo, shown_rows(diff.io, diff.io_ns, threshold, false));
  write_rows_json(json, "exceptions", RowKind::kException,
                  shown_rows(diff.exceptions, diff.thrown, threshold, true));
}

void write_sampled_diff(std::ostream& out, const TextStyle& style, const ProfileDiff& diff,
                        const DiffView& view, const std::vector<const FunctionDiff*>& rows) {
  if (rows.empty()) return;
  TextTable table({{"self", false, 0},
                   {"base"},
                   {"new"},
                   {"σ"},
                   {"total"},
                   {"base"},
                   {"new"},
                   {"σ"},
                   {"function", true}});
  const auto sigma_cell = [](const Change& samples) {
    const double value = sigmas(samples);
    const bool sure = std::fabs(value) >= kSignificantSigmas;
    return Cell{fmt::format("{:+.1f}", value), sure ? direction(value) : Tint::kDim};
  };
  const auto share = [](double samples, double all) {
    return Cell{format_percent(samples / std::max(all, 1.0)), Tint::kDim};
  };
  const Change& all = diff.totals.samples;
  const std::size_t count = view.top == 0 ? rows.size() : std::min(view.top, rows.size());
  for (std::size_t i = 0; i < count; ++i) {
    const FunctionDiff& function = *rows[i];
    const bool sure = std::fabs(sigmas(function.self_samples)) >= kSignificantSigmas;
    table.add({time_cell(function.cpu_self_ns),
               share(function.self_samples.base, all.base),
               share(function.self_samples.now, all.now),
               sigma_cell(function.self_samples),
               time_cell(function.cpu_total_ns),
               share(function.total_samples.base, all.base),
               share(function.total_samples.now, all.now),
               sigma_cell(function.total_samples),
               {shown_name(style, function.function()),
                sure ? Tint::kStrong : Tint::kNone,
                {},
                source_place(style, function.function()),
                true}});
  }
  note_rest(table, rows.size(), count);
  write_heading(out, style, "Functions by change of CPU time",
                "from samples; below 3 σ it may be chance");
  table.write(out, style);
}

}  // namespace spyglass
