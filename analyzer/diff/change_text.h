// SPDX-License-Identifier: Apache-2.0
// change_text.h - a change as people read it: cells of the tables of a comparison.
//
// Cells of nothing changed are empty. Of an estimate stands its standard error beside the change,
// and what that explains is said to be within it.
//
//   Where    diff.
#pragma once

#include <cstddef>
#include <string>

#include "analyzer/diff/change.h"
#include "analyzer/report/text_table.h"

namespace spyglass {

// More, less or the same.
Tint direction(double delta);
// Likewise, but none for a change that is within its error.
Tint direction(const Change& change);

Cell time_cell(const Change& change);
Cell count_cell(const Change& change);
Cell bytes_cell(const Change& change);

// "+1.20 MiB", "+1.20 MiB ± 300 KiB", "+1.20 MiB ± 900 KiB, within error".
std::string bytes_change_text(const Change& change);
std::string count_change_text(const Change& change);

// "and 12 more (--top)", where not all rows are shown.
void note_rest(TextTable& table, std::size_t rows, std::size_t shown);

}  // namespace spyglass
