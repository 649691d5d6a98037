// SPDX-License-Identifier: Apache-2.0
#include "tools/analyze_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "analyzer/model/heap_suppressions.h"
#include "analyzer/report/quantity.h"
#include "tools/option_checks.h"

namespace spyglass {
namespace {

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
  views.emplace_back(options.waits, "--waits");
  views.emplace_back(options.locks, "--locks");
  views.emplace_back(options.io, "--io");
  views.emplace_back(options.exceptions, "--exceptions");
  views.emplace_back(!options.memory.empty(), "--memory");
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
  command.add_flag("--waits", options.waits, "Show what was waited for, where and how long")
      ->group("Views");
  command.add_flag("--locks", options.locks, "Show locks: who waited, who held them, their order")
      ->group("Views");
  command.add_flag("--io", options.io, "Show reads, writes and files by object and by function")
      ->group("Views");
  command.add_flag("--exceptions", options.exceptions, "Show exceptions, thrown and caught where")
      ->group("Views");
  command
      .add_flag("--memory{summary}", options.memory,
                "Show memory; --memory=peak, leaks, temporary, churn, lifetime or live: its stacks")
      ->group("Views");
  command
      .add_option("--by", options.by,
                  "Add functions up by module, file, namespace, or the groups of a file")
      ->type_name("WHAT")
      ->group("Views");
}

void add_formats(CLI::App& command, AnalyzeOptions& options) {
  command.add_flag("--json", options.json, "Write everything as JSON")->group("Formats");
  command.add_flag("--csv", options.csv, "Write the table of a view as CSV (functions by default)")
      ->group("Formats");
  command
      .add_flag("--folded", options.folded,
                "Write call paths with what they weigh (times in ns), for flame graphs")
      ->group("Formats");
}

}  // namespace

void add_analyze_options(CLI::App& command, AnalyzeOptions& options) {
  command.add_option("FILE", options.file, "The recording")->required()->type_name("");
  command
      .add_option("-s,--sort", options.sort,
                  fmt::format("Order of functions: {}", sort_key_names()))
      ->type_name("KEY")
      ->capture_default_str();
  command
      .add_option("--top", options.top,
                  "Show N rows, 0 for all (40 on a terminal and in the overview, else all)")
      ->type_name("N")
      ->check(row_count());
  command
      .add_option("--min-percent", options.min_percent,
                  "Leave out of trees what takes less of the time")
      ->type_name("P")
      ->check(number_between(0, 100))
      ->capture_default_str();
  command
      .add_option("--metric", options.metric,
                  fmt::format("What trees and call paths are weighed by: {} (the usual one of the "
                              "recording)",
                              weight_names()))
      ->type_name("METRIC");
  command
      .add_option("--time-range", options.time_range,
                  "Look at a part: A..B, A.. or ..B from the start, with ns, us, ms, s, m or h")
      ->type_name("RANGE");
  command.add_option("--at", options.at, "Show the heap as it was at TIME after the start")
      ->type_name("TIME");
  command
      .add_option("--suppressions", options.suppressions,
                  "Leave leaks out whose stack matches a line leak:PATTERN of FILE")
      ->type_name("FILE");
  command.add_flag("--all", options.all, "Show leaks that runtimes keep by design, too");
  command.add_flag("--from-spans", options.from_spans,
                   "Compute counts, times and percentiles from the spans that were kept");
  command.add_flag("--full-names", options.full_names, "Show names with all arguments");
  add_color_option(command, options.color);
  add_views(command, options);
  add_formats(command, options);
}

namespace {

Result<std::vector<std::string>> read_suppressions(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    return Error{ErrorKind::kSystem, fmt::format("cannot read suppressions {}: {}", in_quotes(path),
                                                 std::strerror(errno))};
  }
  auto patterns = model::parse_suppressions(text);
  if (!patterns) {
    return Error{ErrorKind::kUsage,
                 fmt::format("suppressions {}: {}", in_quotes(path), patterns.error().what)};
  }
  return patterns;
}

// Going through all allocations takes time, so only where they are shown.
bool shows_memory(const AnalyzeOptions& options, const AnalyzeRequest& request) {
  const bool other = options.tree || !options.callers.empty() || !options.callees.empty() ||
                     options.threads || options.waits || options.locks || options.io ||
                     options.exceptions || !options.by.empty() || options.csv || options.folded;
  return options.json || request.memory || !other || (request.weight && is_memory(*request.weight));
}

Status prepare_memory(const AnalyzeOptions& options, AnalyzeRequest& request) {
  if (!options.memory.empty()) {
    request.memory = parse_memory_view(options.memory);
    if (!request.memory) {
      return Error{
          ErrorKind::kUsage,
          fmt::format("no view --memory={}: one of summary, peak, leaks, temporary, churn, "
                      "lifetime, live",
                      options.memory)};
    }
  }
  if (!options.at.empty()) {
    const auto at = parse_duration_ns(options.at);
    if (!at) {
      return Error{ErrorKind::kUsage, fmt::format("bad time {}: expected a number with ns, us, ms, "
                                                  "s, m or h",
                                                  in_quotes(options.at))};
    }
    request.profile.heap_at_ns = *at;
    if (options.memory == "summary") request.memory = MemoryView::kLive;
  }
  if (!options.suppressions.empty()) {
    auto patterns = read_suppressions(options.suppressions);
    if (!patterns) return patterns.error();
    request.profile.suppressions = std::move(*patterns);
  }
  if (options.csv && request.memory && *request.memory != MemoryView::kSummary) {
    return Error{ErrorKind::kUsage,
                 "stacks of memory have no CSV: --csv goes with --memory alone, --json has stacks"};
  }
  request.profile.heap = shows_memory(options, request);
  return Unit{};
}

}  // namespace

Result<AnalyzeRequest> prepare_analysis(const AnalyzeOptions& options) {
  AnalyzeRequest request;
  request.options = options;
  std::string problem = conflict(options);
  if (!problem.empty()) return Error{ErrorKind::kUsage, std::move(problem)};
  const auto key = parse_sort_key(options.sort);
  if (!key) {
    return Error{ErrorKind::kUsage, fmt::format("cannot sort by {}: one of {}",
                                                in_quotes(options.sort), sort_key_names())};
  }
  request.key = *key;
  if (!options.metric.empty()) {
    request.weight = parse_weight(options.metric);
    if (!request.weight) {
      return Error{ErrorKind::kUsage, fmt::format("no metric {}: one of {}",
                                                  in_quotes(options.metric), weight_names())};
    }
  }
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
  if (auto problem_of_memory = prepare_memory(options, request); !problem_of_memory) {
    return problem_of_memory.error();
  }
  const bool known = options.by.empty() || options.by == "module" || options.by == "file" ||
                     options.by == "namespace";
  if (!known) {
    auto rules = read_group_rules(options.by);
    if (!rules) return rules.error();
    request.rules = std::move(*rules);
  }
  request.style = style_for_stdout(options.color);
  request.style.full_names = options.full_names;
  const std::size_t usual = request.style.interactive ? kUsualRows : 0;
  request.top = options.top < 0 ? usual : static_cast<std::size_t>(options.top);
  return request;
}

}  // namespace spyglass
