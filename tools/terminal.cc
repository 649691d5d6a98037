// SPDX-License-Identifier: Apache-2.0
#include "tools/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "analyzer/report/quantity.h"
#include "analyzer/report/safe_text.h"

namespace spyglass {
namespace {

constexpr int kExitError = 2;
constexpr std::size_t kNarrowest = 60;
constexpr std::size_t kWidest = 1000;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

std::size_t terminal_width() {
  std::size_t width = 0;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) width = size.ws_col;
  if (const char* columns = std::getenv("COLUMNS"); width == 0 && columns != nullptr) {
    width = static_cast<std::size_t>(parse_number(columns).value_or(0));
  }
  return width == 0 ? 100 : std::min(std::max(width, kNarrowest), kWidest);
}

}  // namespace

TextStyle style_for_stdout(ColorChoice color) {
  TextStyle style;
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  const char* kind = std::getenv("TERM");
  const bool dumb = kind == nullptr || std::strcmp(kind, "dumb") == 0;
  const char* forced = std::getenv("CLICOLOR_FORCE");
  style.color = color == ColorChoice::kAlways;
  if (color == ColorChoice::kAuto && !is_set("NO_COLOR")) {
    style.color = (terminal && !dumb) ||
                  (forced != nullptr && *forced != '\0' && std::strcmp(forced, "0") != 0);
  }
  style.interactive = terminal;
  style.width = terminal ? terminal_width() : 0;
  return style;
}

int fail(std::string_view what) {
  fmt::print(stderr, "spyglass: {}\n", printable(what));
  return kExitError;
}

int finish_output(int exit_code) {
  std::cout.flush();
  return std::cout.good() ? exit_code : fail("cannot write all of the output");
}

std::string in_quotes(std::string_view text) { return "'" + printable(text) + "'"; }

}  // namespace spyglass
