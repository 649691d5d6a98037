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

#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"
#include "tools/analyze_options.h"
#include "tools/commands.h"

namespace spyglass {
namespace {

constexpr std::size_t kMostSubjects = 8;  // functions that --callers or --callees shows

void write_subjects(const AnalyzeRequest& request, const Profile& profile,
                    const std::vector<std::uint32_t>& functions, bool callers) {
  const TreeLimits limits{request.options.min_percent / 100, request.top, request.weight};
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
    const Weight weight = usual_weight(profile);
    return total_of(profile.functions[a].metrics, weight) >
           total_of(profile.functions[b].metrics, weight);
  });
  return found;
}

// What the default report says besides functions: a few lines of each.
void write_sections(const TextStyle& style, const Profile& profile) {
  const bool waited = std::any_of(
      profile.threads.begin(), profile.threads.end(),
      [](const ThreadInfo& thread) { return thread.all_waiting_ns() + thread.runnable_ns > 0; });
  if (waited || profile.sampled_cpu) write_thread_times(std::cout, style, profile, 0, true);
  write_waits(std::cout, style, profile, 0, true);
  write_locks(std::cout, style, profile, 0, true);
  write_io(std::cout, style, profile, 0, true);
  write_exceptions(std::cout, style, profile, 0, true);
  write_memory(std::cout, style, profile, {MemoryView::kSummary, 0, true, false});
}

int write_text(const AnalyzeRequest& request, const Profile& profile) {
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
    write_tree(std::cout, request.style, profile,
               {options.min_percent / 100, request.top, request.weight});
    seen = "tree";
  } else if (options.threads) {
    write_threads(std::cout, request.style, profile, request.top);
  } else if (options.waits) {
    write_waits(std::cout, request.style, profile, request.top, false);
  } else if (options.locks) {
    write_locks(std::cout, request.style, profile, request.top, false);
  } else if (options.io) {
    write_io(std::cout, request.style, profile, request.top, false);
  } else if (options.exceptions) {
    write_exceptions(std::cout, request.style, profile, request.top, false);
  } else if (request.memory) {
    write_memory(std::cout, request.style, profile,
                 {*request.memory, request.top, false, options.all});
  } else if (!options.by.empty()) {
    const bool rules = !request.rules.empty();
    write_groups(std::cout, request.style, profile, grouped(profile, options.by, request.rules),
                 rules ? "group" : options.by, request.top);
  } else {
    // What follows must be seen, in a pager too.
    const std::size_t rows = options.top < 0 ? kUsualRows : request.top;
    write_functions(std::cout, request.style, profile, request.key, rows);
    write_sections(request.style, profile);
  }
  write_next_step(std::cout, request.style, profile, seen);
  return finish_output(0);
}

int write_csv(const AnalyzeRequest& request, const Profile& profile) {
  const AnalyzeOptions& options = request.options;
  const std::size_t top = options.top < 0 ? 0 : static_cast<std::size_t>(options.top);
  if (options.threads) {
    write_threads_csv(std::cout, profile);
  } else if (options.waits) {
    write_waits_csv(std::cout, profile, top);
  } else if (options.locks) {
    write_locks_csv(std::cout, profile, top);
  } else if (options.io) {
    write_io_csv(std::cout, profile, top);
  } else if (options.exceptions) {
    write_exceptions_csv(std::cout, profile, top);
  } else if (request.memory) {
    write_memory_csv(std::cout, profile, top);
  } else if (!options.by.empty()) {
    write_groups_csv(std::cout, grouped(profile, options.by, request.rules));
  } else {
    write_functions_csv(std::cout, profile, request.key, top);
  }
  return finish_output(0);
}

int analyze(const AnalyzeOptions& options) {
  const auto request = prepare_analysis(options);
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
    write_folded(std::cout, *profile, options.full_names,
                 request->weight.value_or(usual_weight(*profile)));
    return finish_output(0);
  }
  return write_text(*request, *profile);
}

}  // namespace

void add_analyze_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<AnalyzeOptions>();
  CLI::App* command = app.add_subcommand("analyze", "Show where the time of a recording went");
  add_analyze_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = analyze(*options); });
}

}  // namespace spyglass
