// SPDX-License-Identifier: Apache-2.0
// terminal.h - where the text of a subcommand goes, and how it may look there.
//
// Colours: --color, else NO_COLOR, else CLICOLOR_FORCE, else whether standard output is a terminal
// that is not "dumb".
//
//   Where    tools.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>

#include "analyzer/report/text_table.h"

namespace spyglass {

enum class ColorChoice { kAuto, kAlways, kNever };

TextStyle style_for_stdout(ColorChoice color);

// Prints "spyglass: what" to stderr; returns the exit code 2.
int fail(std::string_view what);
// As fail, when standard output could not be written completely; otherwise `exit_code`.
int finish_output(int exit_code);

// A function name or path typed by a user or found in a file, for a message.
std::string in_quotes(std::string_view text);

}  // namespace spyglass
