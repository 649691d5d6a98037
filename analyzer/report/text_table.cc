// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/text_table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "analyzer/report/name_match.h"
#include "analyzer/report/safe_text.h"

namespace spyglass {
namespace {

constexpr std::size_t kNarrowestLastColumn = 12;
constexpr std::size_t kLabelWidth = 12;
constexpr std::array<std::string_view, 7> kEscapes = {
    "", "\x1b[2m", "\x1b[1m", "\x1b[1;31m", "\x1b[33m", "\x1b[31m", "\x1b[34m"};

std::string spaces(std::size_t count) { return std::string(count, ' '); }

}  // namespace

std::string tinted(const TextStyle& style, Tint tint, std::string_view text) {
  if (!style.color || tint == Tint::kNone || text.empty()) return std::string(text);
  return std::string(kEscapes.at(static_cast<std::size_t>(tint))) + std::string(text) + "\x1b[0m";
}

Tint heat(double share) {
  if (share >= 0.20) return Tint::kHot;
  if (share >= 0.05) return Tint::kWarm;
  return share >= 0.005 ? Tint::kNone : Tint::kDim;
}

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {
  for (const Column& column : columns_) widths_.push_back(display_width(column.title));
}

void TextTable::add(std::vector<Cell> cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i].text = printable(cells[i].text);
    cells[i].trail = printable(cells[i].trail);
    widths_[i] = std::max(widths_[i], display_width(cells[i].text));
  }
  rows_.push_back(std::move(cells));
}

void TextTable::add_note(const std::string& text) {
  rows_.push_back({Cell{printable(text), Tint::kDim}});
}

void TextTable::drop_empty_columns(std::size_t first) {
  for (std::size_t i = columns_.size() - 1; i-- > first;) {
    const bool empty = std::all_of(rows_.begin(), rows_.end(), [&](const std::vector<Cell>& row) {
      if (row.size() != columns_.size()) return true;  // a note
      const std::string& text = row[i].text;
      return text.empty() || text == "0" || text == "-" || text == "0.0%" || text == "0 B";
    });
    if (!empty || columns_.size() <= 2) continue;
    drop_column(i);
  }
}

void TextTable::drop_column(std::size_t index) {
  const auto at = static_cast<std::ptrdiff_t>(index);
  for (std::vector<Cell>& row : rows_) {
    if (row.size() == columns_.size()) row.erase(row.begin() + at);
  }
  columns_.erase(columns_.begin() + at);
  widths_.erase(widths_.begin() + at);
  if (index == 0) columns_.front().gap = 0;
}

std::size_t TextTable::room_for_last(const TextStyle& style) const {
  if (style.width == 0) return static_cast<std::size_t>(-1) / 4;
  std::size_t used = columns_.back().gap;
  for (std::size_t i = 0; i + 1 < columns_.size(); ++i) used += widths_[i] + columns_[i].gap;
  return style.width > used + kNarrowestLastColumn ? style.width - used : kNarrowestLastColumn;
}

void TextTable::write(std::ostream& out, const TextStyle& style) const {
  const std::size_t room = room_for_last(style);
  const std::size_t last = columns_.size() - 1;
  std::string header;
  for (std::size_t i = 0; i <= last; ++i) {
    const Column& column = columns_[i];
    const std::string title = i == last ? shortened(column.title, room) : column.title;
    const std::string padding = i == last ? "" : spaces(widths_[i] - display_width(title));
    header += spaces(column.gap) + (column.left ? title + padding : padding + title);
  }
  out << tinted(style, Tint::kDim, header) << '\n';
  for (const auto& row : rows_) {
    if (row.size() != columns_.size()) {
      const std::string note = style.width == 0 ? row[0].text : shortened(row[0].text, style.width);
      out << tinted(style, row[0].tint, note) << '\n';
      continue;
    }
    std::string line;
    for (std::size_t i = 0; i < last; ++i) {
      const Cell& cell = row[i];
      const std::string padding = spaces(widths_[i] - display_width(cell.text));
      const std::string text = tinted(style, cell.tint, cell.text);
      line += spaces(columns_[i].gap) + (columns_[i].left ? text + padding : padding + text);
    }
    const Cell& cell = row[last];
    const std::size_t lead = display_width(cell.lead);
    const std::size_t left = room > lead ? room - lead : 1;
    const std::string text =
        cell.is_name ? compact_name(cell.text, left) : shortened(cell.text, left);
    line += spaces(columns_[last].gap) + tinted(style, Tint::kDim, cell.lead) +
            tinted(style, cell.tint, text);
    const std::size_t used = lead + display_width(text);
    if (!cell.trail.empty() && used + 2 + display_width(cell.trail) <= room) {
      line += "  " + tinted(style, Tint::kDim, cell.trail);
    }
    while (line.ends_with(' ')) line.pop_back();
    out << line << '\n';
  }
}

void write_fact(std::ostream& out, const TextStyle& style, std::string_view label,
                std::string_view text, Tint tint) {
  const std::string shown = printable(text);
  const std::size_t room = style.width > kLabelWidth + 20 ? style.width - kLabelWidth : 0;
  std::string padded(label);
  padded += spaces(kLabelWidth > label.size() ? kLabelWidth - label.size() : 1);
  out << tinted(style, Tint::kDim, padded)
      << tinted(style, tint, room == 0 ? shown : shortened(shown, room)) << '\n';
}

void write_heading(std::ostream& out, const TextStyle& style, std::string_view title,
                   std::string_view remark) {
  std::string shown = printable(title);
  if (style.width != 0) shown = shortened(shown, style.width);
  out << '\n' << tinted(style, Tint::kStrong, shown);
  const std::size_t used = display_width(shown) + 2 + display_width(remark);
  if (!remark.empty() && (style.width == 0 || used <= style.width)) {
    out << "  " << tinted(style, Tint::kDim, printable(remark));
  }
  out << '\n';
}

}  // namespace spyglass
