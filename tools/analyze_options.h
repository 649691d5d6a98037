// SPDX-License-Identifier: Apache-2.0
// analyze_options.h - what the user asked `spyglass analyze` for.
//
//   Where    tools.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/model/profile_builder.h"
#include "analyzer/report/report.h"
#include "format/result.h"
#include "tools/terminal.h"

namespace CLI {  // NOLINT: CLI11's name
class App;
}

namespace spyglass {

// Of tables, where no number was asked for: on a terminal, and of the functions in the overview.
inline constexpr std::size_t kUsualRows = 40;

struct AnalyzeOptions {
  std::string file;
  std::string sort = "self";
  int top = -1;  // not given
  bool tree = false;
  double min_percent = 0.5;
  std::string callers;
  std::string callees;
  bool threads = false;
  bool waits = false;
  bool locks = false;
  bool io = false;
  bool exceptions = false;
  std::string memory;  // the view
  std::string at;
  std::string suppressions;
  bool all = false;
  std::string metric;
  std::string by;
  std::string time_range;
  bool from_spans = false;
  bool json = false;
  bool csv = false;
  bool folded = false;
  bool full_names = false;
  ColorChoice color = ColorChoice::kAuto;
};

// The same, checked and understood.
struct AnalyzeRequest {
  AnalyzeOptions options;
  SortKey key = SortKey::kSelf;
  std::optional<Weight> weight{};  // nothing: the usual one
  std::optional<MemoryView> memory{};
  std::vector<GroupRule> rules;
  ProfileOptions profile;
  std::size_t top = 0;  // rows; 0: all
  TextStyle style;
};

// Declares every option of the command. `options` outlives the parse.
void add_analyze_options(CLI::App& command, AnalyzeOptions& options);
// Checks what CLI11 cannot. Reads the group file, so that its errors come before the long work.
Result<AnalyzeRequest> prepare_analysis(const AnalyzeOptions& options);

}  // namespace spyglass
