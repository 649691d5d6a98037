// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/change_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "analyzer/report/quantity.h"

namespace spyglass {
namespace {

std::uint64_t whole(double amount) {
  return static_cast<std::uint64_t>(std::llround(std::min(std::fabs(amount), 9e18)));
}

std::string with_error(const Change& change, const std::string& text, const std::string& error) {
  if (change.variance <= 0) return text;
  return fmt::format("{} ± {}{}", text, error, change.within_error() ? ", within error" : "");
}

Cell cell_of(const Change& change, const std::string& text) {
  return {change.delta() == 0 ? "" : text, direction(change)};
}

}  // namespace

Tint direction(double delta) {
  if (delta == 0) return Tint::kDim;
  return delta > 0 ? Tint::kMore : Tint::kLess;
}

Tint direction(const Change& change) {
  return change.within_error() ? Tint::kDim : direction(change.delta());
}

std::string bytes_change_text(const Change& change) {
  const std::string text = (change.delta() < 0 ? "-" : "+") + format_bytes(whole(change.delta()));
  return with_error(change, text, format_bytes(whole(change.error())));
}

std::string count_change_text(const Change& change) {
  return with_error(change, format_count_change(change.delta()),
                    format_count(whole(change.error())));
}

Cell time_cell(const Change& change) {
  return cell_of(change, format_duration_change(change.delta()));
}
Cell count_cell(const Change& change) { return cell_of(change, count_change_text(change)); }
Cell bytes_cell(const Change& change) { return cell_of(change, bytes_change_text(change)); }

void note_rest(TextTable& table, std::size_t rows, std::size_t shown) {
  if (shown < rows) {
    table.add_note(fmt::format("and {} more (--top)", format_count(rows - shown)));
  }
}

}  // namespace spyglass
