// SPDX-License-Identifier: Apache-2.0
// text_table.h - aligned columns for a terminal or a file, with sparing colour.
//
// Everything that goes in is made printable here, so no caller can forget it.
//
//   Where    report and diff.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace spyglass {

// How text output looks.
struct TextStyle {
  bool color = false;
  std::size_t width = 0;     // columns; 0: as wide as it gets
  bool full_names = false;   // rather than the short forms
  bool interactive = false;  // a person is watching: suggest what to do next
};

enum class Tint { kNone, kDim, kStrong, kHot, kWarm, kMore, kLess };

// Wraps `text` in the tint's escapes when colours are on.
std::string tinted(const TextStyle& style, Tint tint, std::string_view text);
// The tint for something that takes this share of a whole.
Tint heat(double share);

struct Cell {
  std::string text;
  Tint tint = Tint::kNone;
  std::string lead{};    // dim, in front (the tree's lines)
  std::string trail{};   // dim, behind, only where there is room for all of it
  bool is_name = false;  // of a function: when too long, scopes in front go first
};

struct Column {
  std::string title;
  bool left = false;    // aligned; numbers are right
  std::size_t gap = 2;  // spaces before it
};

class TextTable {
 public:
  explicit TextTable(std::vector<Column> columns);

  // Requires: as many cells as columns.
  void add(std::vector<Cell> cells);
  // A dim line across all columns.
  void add_note(const std::string& text);
  bool empty() const { return rows_.empty(); }
  // Leaves out columns from `first` on in which no row says anything ("", "0" or "-"). Before
  // write().
  void drop_empty_columns(std::size_t first = 0);
  // Not the last one. Before write().
  void drop_column(std::size_t index);

  // The last column takes what the others leave of style.width.
  void write(std::ostream& out, const TextStyle& style) const;

 private:
  std::size_t room_for_last(const TextStyle& style) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;  // one cell only: a note
  std::vector<std::size_t> widths_;
};

// Where "analyze" and "diff" print facts above their tables: a dim label, then the text.
void write_fact(std::ostream& out, const TextStyle& style, std::string_view label,
                std::string_view text, Tint tint = Tint::kNone);
void write_heading(std::ostream& out, const TextStyle& style, std::string_view title,
                   std::string_view remark = {});

}  // namespace spyglass
