// SPDX-License-Identifier: Apache-2.0
// spyglass - reads recordings: one subcommand per question.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "tools/commands.h"

#ifndef SPYGLASS_VERSION
#define SPYGLASS_VERSION "0.1.0"
#endif

namespace spyglass {
namespace {

constexpr int kExitError = 2;

int complain(std::string_view what) {
  fmt::print(stderr, "spyglass: {}\n", what);
  return kExitError;
}

std::vector<const CLI::App*> all_commands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string command_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* command : all_commands(app)) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  return names;
}

bool is_command(const CLI::App& app, std::string_view name) {
  for (const CLI::App* command : all_commands(app)) {
    if (command->get_name() == name) return true;
  }
  return false;
}

// CLI11's own texts name its types; these name what the user typed.
std::string explain(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const std::string help =
      chosen.empty() ? "spyglass --help" : "spyglass " + chosen.front()->get_name() + " --help";
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto rest = chosen.empty() ? app.remaining() : chosen.front()->remaining();
    const std::string first = rest.empty() ? "" : rest.front();
    text = (first.starts_with('-') ? "unknown option '" : "unexpected argument '") + first + "'";
  }
  for (char& character : text) {
    if (character == '\n') character = ' ';
  }
  return text + " (see " + help + ")";
}

int run(int argc, char** argv) {
  CLI::App app{"Reads what spyglass-run recorded: reports, comparisons, checks.", "spyglass"};
  app.set_version_flag("--version", std::string("spyglass ") + SPYGLASS_VERSION,
                       "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
  app.footer("Each command has its own --help. Recordings are made by spyglass-run.");
  app.require_subcommand(0, 1);
  int exit_code = 0;
  add_analyze_command(app, exit_code);
  add_diff_command(app, exit_code);
  add_info_command(app, exit_code);
  add_verify_command(app, exit_code);
  add_dump_command(app, exit_code);

  if (argc < 2) {
    fmt::print(stderr, "spyglass: no command given; one of {} (see spyglass --help)\n",
               command_names(app));
    return kExitError;
  }
  const std::string_view first = argv[1];
  if (!first.starts_with('-') && !is_command(app, first)) {
    return complain(fmt::format("unknown command '{}'; one of {}", first, command_names(app)));
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& request) {  // --help, --version
    return app.exit(request);
  } catch (const CLI::ParseError& error) {
    return complain(explain(app, error));
  }
  return exit_code;
}

}  // namespace
}  // namespace spyglass

int main(int argc, char** argv) {
  try {
    return spyglass::run(argc, argv);
  } catch (const std::exception& error) {  // no memory, mostly
    fmt::print(stderr, "spyglass: {}\n", error.what());
    return 2;
  }
}
