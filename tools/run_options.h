// SPDX-License-Identifier: Apache-2.0
// run_options.h - the command line of spyglass-run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "recorder/collector/collector_options.h"

namespace spyglass {

struct RunOptions {
  collector::CollectorOptions session;
  std::vector<std::string> command;
  // Serve mode: started by the library in a program that runs without spyglass-run.
  int serve_fd = -1;
  std::string serve_name;
};

// Nothing when spyglass-run is to exit at once with `exit_code`: help, version or a mistake, which
// has been printed.
std::optional<RunOptions> read_run_options(int argc, char** argv, int& exit_code);

}  // namespace spyglass
