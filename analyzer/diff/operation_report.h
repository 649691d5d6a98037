// SPDX-License-Identifier: Apache-2.0
// operation_report.h - the parts of a comparison that come from samples and operations.
//
//   Where    diff_text.cc and diff_json.cc.
#pragma once

#include <ostream>
#include <vector>

#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/heap_diff.h"
#include "analyzer/diff/operation_diff.h"
#include "analyzer/report/json_writer.h"
#include "analyzer/report/text_table.h"

namespace spyglass {

void write_operation_diff(std::ostream& out, const TextStyle& style, const OperationDiff& diff,
                          const DiffView& view);
void write_operation_diff_json(JsonWriter& json, const OperationDiff& diff, const DiffView& view);
void write_heap_diff(std::ostream& out, const TextStyle& style, const HeapDiff& diff,
                     const DiffView& view);
void write_heap_diff_json(JsonWriter& json, const HeapDiff& diff, const DiffView& view);
// Functions of programs whose calls were not timed.
void write_sampled_diff(std::ostream& out, const TextStyle& style, const ProfileDiff& diff,
                        const DiffView& view, const std::vector<const FunctionDiff*>& rows);

}  // namespace spyglass
