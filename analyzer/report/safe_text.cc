// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/safe_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace spyglass {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

struct Decoded {
  char32_t value = 0;
  std::size_t size = 1;
  bool valid = false;
};

// Decodes the character at the front of `text`; one bad byte when it is malformed.
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t size = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < size) return {};
  char32_t value = lead & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {};
    value = value << 6U | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
  if (overlong || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return {};
  return {value, size, true};
}

struct Interval {
  char32_t first;
  char32_t last;
};

template <std::size_t N>
bool contains(const std::array<Interval, N>& intervals, char32_t value) {
  return std::any_of(intervals.begin(), intervals.end(), [value](const Interval& interval) {
    return value >= interval.first && value <= interval.last;
  });
}

// Controls (C0, DEL, C1), line separators, direction overrides and isolates, zero-width characters,
// variation selectors' neighbours, tags and the byte order mark.
constexpr std::array<Interval, 11> kHidden = {{{0x00, 0x1F},
                                               {0x7F, 0x9F},
                                               {0xAD, 0xAD},
                                               {0x061C, 0x061C},
                                               {0x180E, 0x180E},
                                               {0x200B, 0x200F},
                                               {0x2028, 0x202E},
                                               {0x2060, 0x206F},
                                               {0xFEFF, 0xFEFF},
                                               {0xFFF9, 0xFFFB},
                                               {0xE0000, 0xE0FFF}}};
constexpr std::array<Interval, 7> kZeroWidth = {{{0x0300, 0x036F},
                                                 {0x0483, 0x0489},
                                                 {0x0591, 0x05BD},
                                                 {0x1AB0, 0x1AFF},
                                                 {0x1DC0, 0x1DFF},
                                                 {0x20D0, 0x20FF},
                                                 {0xFE00, 0xFE2F}}};
constexpr std::array<Interval, 9> kDoubleWidth = {{{0x1100, 0x115F},
                                                   {0x2E80, 0x303E},
                                                   {0x3041, 0xA4CF},
                                                   {0xAC00, 0xD7A3},
                                                   {0xF900, 0xFAFF},
                                                   {0xFE30, 0xFE6F},
                                                   {0xFF00, 0xFF60},
                                                   {0x1F300, 0x1FAFF},
                                                   {0x20000, 0x3FFFD}}};

std::size_t width_of(char32_t value) {
  if (value < 0x300) return 1;
  if (contains(kZeroWidth, value)) return 0;
  return contains(kDoubleWidth, value) ? 2 : 1;
}

template <typename Keep>
std::string filtered(std::string_view text, Keep keep) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const Decoded character = decode(text);
    result +=
        character.valid && keep(character.value) ? text.substr(0, character.size) : kReplacement;
    text.remove_prefix(character.size);
  }
  return result;
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

// The bytes at the front (or back) of `text` that fit into `width` columns.
std::size_t fitting_prefix(std::string_view text, std::size_t width) {
  std::size_t used = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    const Decoded character = decode(text.substr(at));
    used += width_of(character.value);
    if (used > width) break;
    at += character.size;
  }
  return at;
}

bool needs_quotes(std::string_view argument) {
  return argument.empty() ||
         argument.find_first_of(" \t\n'\"\\$`&|;<>()*?[]#~!{}") != argument.npos;
}

}  // namespace

std::string valid_utf8(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  return filtered(text, [](char32_t) { return true; });
}

std::string printable(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  return filtered(text, [](char32_t value) { return !contains(kHidden, value); });
}

std::string csv_field(std::string_view text) {
  std::string field = printable(text);
  const bool formula =
      !field.empty() && std::string_view("=+-@").find(field.front()) != std::string_view::npos;
  if (formula) field.insert(0, 1, '\'');
  if (field.find_first_of(",\"") == std::string::npos && !field.starts_with(' ')) return field;
  std::string quoted = "\"";
  for (const char character : field) {
    if (character == '"') quoted += '"';
    quoted += character;
  }
  return quoted + '"';
}

std::size_t display_width(std::string_view text) {
  if (is_plain(text)) return text.size();
  std::size_t width = 0;
  while (!text.empty()) {
    const Decoded character = decode(text);
    width += width_of(character.value);
    text.remove_prefix(character.size);
  }
  return width;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (display_width(text) <= width) return std::string(text);
  if (width == 0) return "";
  return std::string(text.substr(0, fitting_prefix(text, width - 1))) + std::string(kEllipsis);
}

std::string command_line(const std::string* begin, const std::string* end) {
  std::string line;
  for (; begin != end; ++begin) {
    if (!line.empty()) line += ' ';
    if (!needs_quotes(*begin)) {
      line += *begin;
      continue;
    }
    line += '\'';
    for (const char character : *begin) {
      if (character == '\'') {
        line += "'\\''";
      } else {
        line += character;
      }
    }
    line += '\'';
  }
  return printable(line);
}

}  // namespace spyglass
