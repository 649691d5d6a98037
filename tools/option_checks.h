// SPDX-License-Identifier: Apache-2.0
// option_checks.h - checks of option values whose messages say what was expected.
//
// CLI11's own print its types and whole tables of values.
//
//   Where    tools.
#pragma once

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <limits>
#include <map>
#include <string>
#include <utility>

#include "tools/terminal.h"

namespace spyglass {

// A decimal number from `least` to `most`.
inline CLI::Validator number_between(double least, double most) {
  return CLI::Validator(
      [least, most](std::string& text) -> std::string {
        double value = 0;
        if (CLI::detail::lexical_cast(text, value) && value >= least && value <= most) return {};
        return most == std::numeric_limits<int>::max()
                   ? fmt::format("'{}' should be a number of at least {}", text, least)
                   : fmt::format("'{}' should be a number from {} to {}", text, least, most);
      },
      "");
}

inline CLI::Validator row_count() { return number_between(0, std::numeric_limits<int>::max()); }

// Turns one of the names into its value.
template <typename T>
CLI::Validator one_of(std::map<std::string, T> values) {
  return CLI::Validator(
      [values = std::move(values)](std::string& text) -> std::string {
        const auto found = values.find(text);
        if (found != values.end()) {
          text = std::to_string(static_cast<int>(found->second));
          return {};
        }
        std::string names;
        for (const auto& [name, value] : values) names += (names.empty() ? "" : ", ") + name;
        return fmt::format("'{}' should be one of {}", text, names);
      },
      "");
}

inline void add_color_option(CLI::App& command, ColorChoice& color) {
  command.add_option("--color", color, "Colours: auto, always or never")
      ->type_name("WHEN")
      ->transform(one_of<ColorChoice>({{"auto", ColorChoice::kAuto},
                                       {"always", ColorChoice::kAlways},
                                       {"never", ColorChoice::kNever}}));
}

}  // namespace spyglass
