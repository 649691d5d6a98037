// SPDX-License-Identifier: Apache-2.0
// spyglass diff - what changed from one recording to another, and whether it is too much.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/diff/diff_report.h"
#include "analyzer/model/profile_builder.h"
#include "tools/commands.h"
#include "tools/option_checks.h"
#include "tools/terminal.h"

namespace spyglass {
namespace {

constexpr std::size_t kRowsOnTerminal = 30;
constexpr double kDefaultThresholdPercent = 0.1;
constexpr int kExitRegression = 1;

struct DiffOptions {
  std::string base;
  std::string now;
  DiffKey key = DiffKey::kSelf;
  int top = -1;                   // not given
  double threshold_percent = -1;  // not given
  bool tree = false;
  std::vector<std::string> fail_on;
  bool json = false;
  bool full_names = false;
  ColorChoice color = ColorChoice::kAuto;
};

DiffView view_of(const DiffOptions& options, const TextStyle& style) {
  DiffView view;
  view.key = options.key;
  view.tree = options.tree;
  const std::size_t usual = style.interactive ? kRowsOnTerminal : 0;
  view.top = options.top < 0 ? usual : static_cast<std::size_t>(options.top);
  // Programs get everything unless they ask for less.
  const double usual_percent = options.json ? 0 : kDefaultThresholdPercent;
  view.threshold =
      (options.threshold_percent < 0 ? usual_percent : options.threshold_percent) / 100;
  return view;
}

int diff(const DiffOptions& options) {
  std::vector<FailRule> rules;
  for (const std::string& text : options.fail_on) {
    auto rule = parse_fail_rule(text);
    if (!rule) return fail(rule.error().what);
    rules.push_back(std::move(*rule));
  }
  std::ios::sync_with_stdio(false);
  const auto base = build_profile(options.base, {});
  if (!base) return fail(base.error().what);
  const auto now = build_profile(options.now, {});
  if (!now) return fail(now.error().what);

  ProfileDiff difference = diff_profiles(*base, *now);
  std::vector<RuleOutcome> outcomes;
  bool failed = false;
  for (const FailRule& rule : rules) {
    auto outcome = apply_rule(rule, difference);
    if (!outcome) return fail(outcome.error().what);
    failed = failed || outcome->failed();
    outcomes.push_back(std::move(*outcome));
  }
  TextStyle style = style_for_stdout(options.color);
  style.full_names = options.full_names;
  const DiffView view = view_of(options, style);
  const bool by_samples = difference.sampled && options.key == DiffKey::kSelf;
  sort_functions(difference.functions, by_samples ? DiffKey::kSamples : options.key);
  if (options.json) {
    write_diff_json(std::cout, difference, view, outcomes);
  } else {
    write_diff(std::cout, style, difference, view);
    write_outcomes(std::cout, style, outcomes);
  }
  return finish_output(failed ? kExitRegression : 0);
}

void add_options(CLI::App& command, DiffOptions& options) {
  command.add_option("BASE", options.base, "The recording to compare with")
      ->required()
      ->type_name("");
  command.add_option("NEW", options.now, "The recording that is judged")->required()->type_name("");
  command
      .add_option(
          "-s,--sort", options.key,
          "Order by the size of the change: self, total, cpu, calls, mean, p99, psi, samples")
      ->type_name("KEY")
      ->transform(one_of<DiffKey>({{"self", DiffKey::kSelf},
                                   {"total", DiffKey::kTotal},
                                   {"cpu", DiffKey::kCpu},
                                   {"calls", DiffKey::kCalls},
                                   {"mean", DiffKey::kMean},
                                   {"p99", DiffKey::kP99},
                                   {"psi", DiffKey::kDrift},
                                   {"samples", DiffKey::kSamples}}))
      ->default_str("self");
  command
      .add_option("--top", options.top, "Show N rows of each table, 0 for all (30 on a terminal)")
      ->type_name("N")
      ->check(row_count());
  command
      .add_option("--threshold", options.threshold_percent,
                  "Leave out changes below P % of all time and calls (0.1; with --json 0)")
      ->type_name("P")
      ->check(number_between(0, 100));
  command.add_flag("--tree", options.tree, "Show call paths instead of functions");
  command
      .add_option("--fail-on", options.fail_on,
                  "Exit 1 when EXPR holds, such as 'total_wall>5%' or 'func(parse*).p99>10%' "
                  "(repeatable; see spyglass-diff(1))")
      ->type_name("EXPR")
      ->expected(1)
      ->take_all();
  command.add_flag("--json", options.json, "Write the comparison as JSON");
  command.add_flag("--full-names", options.full_names, "Show names with all arguments");
  add_color_option(command, options.color);
}

}  // namespace

void add_diff_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DiffOptions>();
  CLI::App* command = app.add_subcommand("diff", "Show what changed between two recordings");
  command->footer("Exit status: 0 fine, 1 a --fail-on holds, 2 error.");
  add_options(*command, *options);
  command->callback([options, &exit_code] { exit_code = diff(*options); });
}

}  // namespace spyglass
