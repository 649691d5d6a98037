// SPDX-License-Identifier: Apache-2.0
// spyglass analyze - what a recording says.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/model/profile_builder.h"
#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/report.h"
#include "tools/commands.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"

namespace spyglass {
namespace {

constexpr std::size_t kRowsOnTerminal = 40;
constexpr std::size_t kMostSubjects = 8;  // functions that --callers or --callees shows

struct AnalyzeOptions {
  std::string file;
  std::string sort = "self";
  int top = -1;  // not given
  bool tree = false;
  double min_percent = 0.5;
  std::string callers;
  std::string callees;
  bool threads = false;
  std::string by;
  std::string time_range;
  bool from_spans = false;
  bool json = false;
  bool csv = false;
  bool folded = false;
  bool full_names = false;
  ColorChoice color = ColorChoice::kAuto;
};

struct Request {
  AnalyzeOptions options;
  SortKey key = SortKey::kSelf;
  std::vector<GroupRule> rules;
  ProfileOptions profile;
  std::size_t top = 0;  // rows; 0: all
  TextStyle style;
};

using Choice = std::pair<bool, const char*>;

// "--tree and --by cannot be combined", or empty.
std::string conflict(const std::vector<Choice>& choices) {
  const char* first = nullptr;
  for (const auto& [chosen, name] : choices) {
    if (chosen && first != nullptr) return fmt::format("{} and {} cannot be combined", first, name);
    if (chosen) first = name;
  }
  return {};
}

std::string conflict(const AnalyzeOptions& options) {
  const std::vector<Choice> trees = {{options.tree, "--tree"},
                                     {!options.callers.empty(), "--callers"},
                                     {!options.callees.empty(), "--callees"}};
  std::vector<Choice> views = trees;
  views.emplace_back(options.threads, "--threads");
  views.emplace_back(!options.by.empty(), "--by");
  std::string problem = conflict(views);
  if (!problem.empty()) return problem;
  std::vector<Choice> formats = {
      {options.json, "--json"}, {options.csv, "--csv"}, {options.folded, "--folded"}};
  problem = conflict(formats);
  if (!problem.empty() || !options.csv) return problem;
  std::vector<Choice> csv = {{true, "--csv"}};
  csv.insert(csv.end(), trees.begin(), trees.end());
  return conflict(csv);
}

// Checks what CLI11 cannot. Reads the group file, so that its errors come before the long work.
Result<Request> prepare(const AnalyzeOptions& options) {
  Request request;
  request.options = options;
  std::string problem = conflict(options);
  if (!problem.empty()) return Error{ErrorKind::kUsage, std::move(problem)};
  const auto key = parse_sort_key(options.sort);
  if (!key) {
    return Error{ErrorKind::kUsage, fmt::format("cannot sort by {}: one of {}",
                                                in_quotes(options.sort), sort_key_names())};
  }
  request.key = *key;
  if (!options.time_range.empty()) {
    const auto range = parse_time_range(options.time_range);
    if (!range) {
      return Error{ErrorKind::kUsage,
                   fmt::format("bad time range {}: expected A..B, A.. or ..B with units, for "
                               "example 1.5s..2s",
                               in_quotes(options.time_range))};
    }
    request.profile.range = TimeRange{range->start_ns, range->end_ns};
  }
  request.profile.from_spans = options.from_spans;
  const bool known = options.by.empty() || options.by == "module" || options.by == "file" ||
                     options.by == "namespace";
  if (!known) {
    auto rules = read_group_rules(options.by);
    if (!rules) return rules.error();
    request.rules = std::move(*rules);
  }
  request.style = style_for_stdout(options.color);
  request.style.full_names = options.full_names;
  const std::size_t usual = request.style.interactive ? kRowsOnTerminal : 0;
  request.top = options.top < 0 ? usual : static_cast<std::size_t>(options.top);
  return request;
}

void write_subjects(const Request& request, const Profile& profile,
                    const std::vector<std::uint32_t>& functions, bool callers) {
  const TreeLimits limits{request.options.min_percent / 100, request.top};
  std::size_t shown = 0;
  for (const std::uint32_t function : functions) {
    if (shown++ == kMostSubjects) {
      std::cout << fmt::format("\n{} more functions match\n", functions.size() - kMostSubjects);
      break;
    }
    if (callers) {
      write_callers(std::cout, request.style, profile, function, limits);
    } else {
      write_callees(std::cout, request.style, profile, function, limits);
    }
  }
}

// The functions meant by `pattern`, largest total first.
Result<std::vector<std::uint32_t>> subjects(const Profile& profile, const std::string& pattern) {
  auto found = find_functions(profile, pattern);
  if (found.empty()) {
    return Error{ErrorKind::kUsage, fmt::format("no function matches {} in {}", in_quotes(pattern),
                                                in_quotes(profile.file))};
  }
  std::stable_sort(found.begin(), found.end(), [&](std::uint32_t a, std::uint32_t b) {
    return profile.functions[a].metrics.wall_total_ns > profile.functions[b].metrics.wall_total_ns;
  });
  return found;
}

int write_text(const Request& request, const Profile& profile) {
  const AnalyzeOptions& options = request.options;
  const bool around = !options.callers.empty() || !options.callees.empty();
  const std::string& pattern = options.callers.empty() ? options.callees : options.callers;
  std::vector<std::uint32_t> functions;
  if (around) {
    auto found = subjects(profile, pattern);
    if (!found) return fail(found.error().what);
    functions = std::move(*found);
  }
  write_summary(std::cout, request.style, profile);
  if (options.from_spans) {
    write_fact(std::cout, request.style, "from spans",
               fmt::format("{} calls that were kept one by one; all others are left out",
                           format_count(profile.spans)));
  }
  std::string_view seen = "functions";
  if (around) {
    write_subjects(request, profile, functions, !options.callers.empty());
    seen = options.callers.empty() ? "callees" : "callers";
  } else if (options.tree) {
    write_tree(std::cout, request.style, profile, {options.min_percent / 100, request.top});
    seen = "tree";
  } else if (options.threads) {
    write_threads(std::cout, request.style, profile, request.top);
  } else if (!options.by.empty()) {
    const bool rules = !request.rules.empty();
    write_groups(std::cout, request.style, profile, grouped(profile, options.by, request.rules),
                 rules ? "group" : options.by, request.top);
  } else {
    write_functions(std::cout, request.style, profile, request.key, request.top);
  }
  write_next_step(std::cout, request.style, profile, seen);
  return finish_output(0);
}

int write_csv(const Request& request, const Profile& profile) {
  const AnalyzeOptions& options = request.options;
  if (options.threads) {
    write_threads_csv(std::cout, profile);
  } else if (!options.by.empty()) {
    write_groups_csv(std::cout, grouped(profile, options.by, request.rules));
  } else {
    write_functions_csv(std::cout, profile, request.key,
                        options.top < 0 ? 0 : static_cast<std::size_t>(options.top));
  }
  return finish_output(0);
}

int analyze(const AnalyzeOptions& options) {
  const auto request = prepare(options);
  if (!request) return fail(request.error().what);
  std::ios::sync_with_stdio(false);
  const auto profile = build_profile(options.file, request->profile);
  if (!profile) return fail(profile.error().what);
  if (options.json) {
    std::vector<Group> groups;
    if (!options.by.empty()) groups = grouped(*profile, options.by, request->rules);
    write_json(std::cout, *profile, request->key, groups);
    return finish_output(0);
  }
  if (options.csv) return write_csv(*request, *profile);
  if (options.folded) {
    write_folded(std::cout, *profile, options.full_names);
    return finish_output(0);
  }
  return write_text(*request, *profile);
}

void add_views(CLI::App& command, AnalyzeOptions& options) {
  command.add_flag("--tree", options.tree, "Show the call tree, recursion folded")->group("Views");
  command
      .add_option("--callers", options.callers,
                  "Show who calls the functions that match F, a name or a glob")
      ->type_name("F")
      ->group("Views");
  command.add_option("--callees", options.callees, "Show what the functions that match F call")
      ->type_name("F")
      ->group("Views");
  command.add_flag("--threads", options.threads, "Show processes and threads")->group("Views");
  command
      .add_option("--by", options.by,
                  "Add functions up by module, file, namespace, or the groups of a file")
      ->type_name("WHAT")
      ->group("Views");
}

void add_formats(CLI::App& command, AnalyzeOptions& options) {
  command.add_flag("--json", options.json, "Write everything as JSON")->group("Formats");
  command.add_flag("--csv", options.csv, "Write functions, threads or groups as CSV")
      ->group("Formats");
  command
      .add_flag("--folded", options.folded,
                "Write call paths with self time in ns, for flame graphs")
      ->group("Formats");
}

}  // namespace

void add_analyze_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<AnalyzeOptions>();
  CLI::App* command = app.add_subcommand("analyze", "Show where the time of a recording went");
  command->add_option("FILE", options->file, "The recording")->required()->type_name("");
  command
      ->add_option("-s,--sort", options->sort,
                   fmt::format("Order of functions: {}", sort_key_names()))
      ->type_name("KEY")
      ->capture_default_str();
  command->add_option("--top", options->top, "Show N rows, 0 for all (40 on a terminal, else all)")
      ->type_name("N")
      ->check(row_count());
  command
      ->add_option("--min-percent", options->min_percent,
                   "Leave out of trees what takes less of the time")
      ->type_name("P")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command
      ->add_option("--time-range", options->time_range,
                   "Look at a part: A..B, A.. or ..B from the start, with ns, us, ms, s, m or h")
      ->type_name("RANGE");
  command->add_flag("--from-spans", options->from_spans,
                    "Compute counts, times and percentiles from the spans that were kept");
  command->add_flag("--full-names", options->full_names, "Show names with all arguments");
  add_color_option(*command, options->color);
  add_views(*command, *options);
  add_formats(*command, *options);
  command->callback([options, &exit_code] { exit_code = analyze(*options); });
}

}  // namespace spyglass
