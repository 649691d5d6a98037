// SPDX-License-Identifier: Apache-2.0
// commands.h - the subcommands of `spyglass`, one .cc each.
//
// Each adds itself to `app`. When it was the one asked for, it runs inside app.parse() and leaves
// its exit code in `exit_code`, which outlives the parse: 0 fine, 1 what was looked for was found
// (damage, a regression), 2 error, after one line on stderr.
#pragma once

namespace CLI {
class App;
}

namespace spyglass {

void add_analyze_command(CLI::App& app, int& exit_code);
void add_diff_command(CLI::App& app, int& exit_code);
void add_info_command(CLI::App& app, int& exit_code);
void add_verify_command(CLI::App& app, int& exit_code);
void add_dump_command(CLI::App& app, int& exit_code);

}  // namespace spyglass
