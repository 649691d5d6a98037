// SPDX-License-Identifier: Apache-2.0
// safe_text.h - names from a recording, made fit for where they are printed.
//
// Function names, arguments and thread names are chosen by the recorded program, so they may hold
// terminal escapes, text-direction overrides or bytes that are no UTF-8.
//
//   Where    report and diff.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace spyglass {

// Valid UTF-8: every malformed byte becomes U+FFFD. Keeps control characters.
std::string valid_utf8(std::string_view text);
// Valid UTF-8 without control, direction and invisible characters, which become U+FFFD.
std::string printable(std::string_view text);
// One field of a CSV line, quoted where needed. Text that a spreadsheet would run as a formula gets
// an apostrophe in front.
std::string csv_field(std::string_view text);
// Columns on a terminal. Requires: printable text.
std::size_t display_width(std::string_view text);
// At most `width` columns, with an ellipsis for what was cut. Requires: printable text.
std::string shortened(std::string_view text, std::size_t width);
// Arguments as one line that a shell would read back, printable.
std::string command_line(const std::string* begin, const std::string* end);

}  // namespace spyglass
