// SPDX-License-Identifier: Apache-2.0
// Changes of memory as a table and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "analyzer/diff/change_json.h"
#include "analyzer/diff/change_text.h"
#include "analyzer/diff/operation_report.h"
#include "analyzer/report/quantity.h"

namespace spyglass {
namespace {

Cell plain_cell(double bytes) {
  return {format_bytes(static_cast<std::uint64_t>(std::max(bytes, 0.0))), Tint::kDim};
}

// Rows of which any part changed by at least `threshold` of the whole.
std::vector<const HeapRow*> shown_rows(const std::vector<HeapRow>& rows, const HeapDiff& diff,
                                       double threshold) {
  const auto large = [threshold](const Change& change, const Change& whole) {
    return change.delta() != 0 &&
           std::fabs(change.delta()) >= threshold * std::max(whole.base, whole.now);
  };
  std::vector<const HeapRow*> shown;
  for (const HeapRow& row : rows) {
    if (large(row.allocated_bytes, diff.allocated_bytes) ||
        large(row.peak_bytes, diff.peak_bytes) || large(row.leaked_bytes, diff.leaked_bytes) ||
        large(row.allocations, diff.allocations)) {
      shown.push_back(&row);
    }
  }
  return shown;
}

void write_rows_json(JsonWriter& json, std::string_view key, bool with_stack,
                     const std::vector<const HeapRow*>& rows) {
  json.key(key).begin_array();
  for (const HeapRow* row : rows) {
    json.new_line();
    json.begin_object();
    json.key("operation").text(row->operation);
    json.key("function").text(row->function);
    if (with_stack) {
      json.key("stack").begin_array();
      for (const std::string& name : row->stack) json.text(name);
      json.end_array();
    }
    write_estimate(json, "allocations", row->allocations);
    write_estimate(json, "allocated_bytes", row->allocated_bytes);
    write_estimate(json, "peak_bytes", row->peak_bytes);
    write_estimate(json, "leaked_bytes", row->leaked_bytes);
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void write_heap_diff(std::ostream& out, const TextStyle& style, const HeapDiff& diff,
                     const DiffView& view) {
  const auto rows = shown_rows(diff.functions, diff, view.threshold);
  if (rows.empty()) return;
  TextTable table({{"allocated", false, 0},
                   {"base"},
                   {"new"},
                   {"allocations"},
                   {"peak"},
                   {"leaked"},
                   {"operation", true},
                   {"in", true}});
  const std::size_t count = view.top == 0 ? rows.size() : std::min(view.top, rows.size());
  for (std::size_t i = 0; i < count; ++i) {
    const HeapRow& row = *rows[i];
    table.add({bytes_cell(row.allocated_bytes),
               plain_cell(row.allocated_bytes.base),
               plain_cell(row.allocated_bytes.now),
               count_cell(row.allocations),
               bytes_cell(row.peak_bytes),
               bytes_cell(row.leaked_bytes),
               {row.operation},
               {style.full_names ? row.function : row.short_function,
                row.significant() ? Tint::kStrong : Tint::kNone}});
  }
  note_rest(table, rows.size(), count);
  table.drop_empty_columns();
  write_heading(out, style, "Memory by change of what was allocated",
                diff.estimated()
                    ? "estimates from samples; ± is a standard error, below 2 of them a "
                      "change may be chance"
                    : "");
  table.write(out, style);
}

void write_heap_diff_json(JsonWriter& json, const HeapDiff& diff, const DiffView& view) {
  json.new_line();
  json.key("memory");
  if (!diff.known) {
    json.null();
    return;
  }
  json.begin_object();
  write_rows_json(json, "functions", false, shown_rows(diff.functions, diff, view.threshold));
  write_rows_json(json, "stacks", true, shown_rows(diff.stacks, diff, view.threshold));
  json.end_object();
}

}  // namespace spyglass
