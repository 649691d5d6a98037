// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/fail_rule.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "analyzer/report/name_match.h"
#include "analyzer/report/quantity.h"

namespace spyglass {
namespace {

constexpr std::array<std::pair<std::string_view, RuleMetric>, 20> kMetrics = {
    {{"self_wall", RuleMetric::kSelfWall},
     {"total_wall", RuleMetric::kTotalWall},
     {"self_cpu", RuleMetric::kSelfCpu},
     {"total_cpu", RuleMetric::kTotalCpu},
     {"calls", RuleMetric::kCalls},
     {"mean", RuleMetric::kMean},
     {"p99", RuleMetric::kP99},
     {"psi", RuleMetric::kPsi},
     {"self_samples", RuleMetric::kSelfSamples},
     {"total_samples", RuleMetric::kTotalSamples},
     {"wait", RuleMetric::kWait},
     {"lock_wait", RuleMetric::kLockWait},
     {"io", RuleMetric::kIo},
     {"bytes", RuleMetric::kBytes},
     {"errors", RuleMetric::kErrors},
     {"exceptions", RuleMetric::kExceptions},
     {"allocations", RuleMetric::kAllocations},
     {"allocated", RuleMetric::kAllocated},
     {"peak", RuleMetric::kPeak},
     {"leaked", RuleMetric::kLeaked}}};
constexpr std::string_view kBlank = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_time(RuleMetric metric) { return !counts_things(metric) && metric != RuleMetric::kPsi; }

// Known of the whole recording only.
bool has_no_function(RuleMetric metric) {
  return metric == RuleMetric::kWait || metric == RuleMetric::kLockWait ||
         metric == RuleMetric::kIo || metric == RuleMetric::kExceptions;
}

bool needs_function(RuleMetric metric) {
  return metric == RuleMetric::kMean || metric == RuleMetric::kP99 || metric == RuleMetric::kPsi;
}

Error wrong(std::string_view text, std::string_view why) {
  return Error{ErrorKind::kUsage, fmt::format("bad --fail-on '{}': {}", text, why)};
}

bool is_memory(RuleMetric metric) {
  return metric == RuleMetric::kAllocations || metric == RuleMetric::kAllocated ||
         metric == RuleMetric::kPeak || metric == RuleMetric::kLeaked;
}

std::optional<RuleMetric> find_metric(std::string_view name) {
  for (const auto& [known, metric] : kMetrics) {
    if (known == name) return metric;
  }
  constexpr std::string_view kTotal = "total_";
  if (!name.starts_with(kTotal)) return std::nullopt;
  const auto metric = find_metric(name.substr(kTotal.size()));
  return metric && is_memory(*metric) ? metric : std::nullopt;
}

std::string metric_names() {
  std::string names;
  for (const auto& [name, metric] : kMetrics)
    names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

// Takes "func(GLOB)." off the front of `rest`. The glob may hold brackets, if they are balanced.
Result<std::optional<std::string>> take_function(std::string_view text, std::string_view& rest) {
  constexpr std::string_view kOpening = "func(";
  if (!rest.starts_with(kOpening)) return std::optional<std::string>();
  int depth = 1;
  std::size_t at = kOpening.size();
  for (; at < rest.size() && depth > 0; ++at) {
    if (rest[at] == '(') ++depth;
    if (rest[at] == ')') --depth;
  }
  if (depth > 0) return wrong(text, "func( has no closing bracket");
  const std::string glob(trimmed(rest.substr(kOpening.size(), at - 1 - kOpening.size())));
  rest = trimmed(rest.substr(at));
  if (glob.empty()) return wrong(text, "func() needs a name or a glob");
  if (!rest.starts_with('.')) return wrong(text, "expected '.METRIC' after func(...)");
  rest = trimmed(rest.substr(1));
  return std::optional<std::string>(glob);
}

Result<RuleLimit> parse_limit(std::string_view text, RuleMetric metric, std::string_view limit) {
  using Comparison = RuleLimit::Comparison;
  constexpr std::array<std::pair<std::string_view, Comparison>, 4> kSigns = {
      {{">=", Comparison::kAtLeast},
       {"<=", Comparison::kAtMost},
       {">", Comparison::kAbove},
       {"<", Comparison::kBelow}}};
  RuleLimit result;
  std::string_view amount;
  for (const auto& [sign, comparison] : kSigns) {
    if (!limit.starts_with(sign)) continue;
    result.comparison = comparison;
    amount = trimmed(limit.substr(sign.size()));
    break;
  }
  if (amount.empty()) return wrong(text, "expected >, >=, < or <= and an amount");
  if (amount.ends_with('%')) {
    if (metric == RuleMetric::kPsi)
      return wrong(text, "psi is compared with a number, such as >0.2");
    const auto percent = parse_number(amount.substr(0, amount.size() - 1));
    if (!percent) return wrong(text, fmt::format("'{}' is no percentage", amount));
    result.amount = *percent / 100;
    result.relative = true;
    return result;
  }
  const auto value = is_time(metric) ? parse_duration_ns(amount) : parse_number(amount);
  if (!value) {
    const char* expected = is_time(metric)         ? "a time (5ms) or a percentage (5%)"
                           : counts_things(metric) ? "a number (1000) or a percentage (5%)"
                                                   : "a number (0.2)";
    return wrong(text, fmt::format("'{}' should be {}", amount, expected));
  }
  result.amount = *value;
  return result;
}

bool passes(const RuleLimit& limit, const Change& change) {
  double value = change.delta();
  if (limit.relative) {
    if (change.base != 0) {
      value /= std::fabs(change.base);
    } else if (value != 0) {
      value = std::copysign(std::numeric_limits<double>::infinity(), value);
    }
  }
  switch (limit.comparison) {
    case RuleLimit::Comparison::kAbove:
      return value > limit.amount;
    case RuleLimit::Comparison::kAtLeast:
      return value >= limit.amount;
    case RuleLimit::Comparison::kBelow:
      return value < limit.amount;
    case RuleLimit::Comparison::kAtMost:
      return value <= limit.amount;
  }
  return false;
}

Change whole_change(const ProfileDiff& diff, RuleMetric metric) {
  switch (metric) {
    case RuleMetric::kCalls:
      return diff.totals.calls;
    case RuleMetric::kSelfCpu:
    case RuleMetric::kTotalCpu:
      return diff.totals.cpu_ns;
    case RuleMetric::kSelfSamples:
    case RuleMetric::kTotalSamples:
      return diff.totals.samples;
    case RuleMetric::kWait:
      return diff.operations.wait_ns;
    case RuleMetric::kLockWait:
      return diff.operations.lock_wait_ns;
    case RuleMetric::kIo:
      return diff.operations.io_ns;
    case RuleMetric::kBytes:
      return diff.operations.bytes;
    case RuleMetric::kErrors:
      return diff.operations.errors;
    case RuleMetric::kExceptions:
      return diff.operations.thrown;
    case RuleMetric::kAllocations:
      return diff.heap.allocations;
    case RuleMetric::kAllocated:
      return diff.heap.allocated_bytes;
    case RuleMetric::kPeak:
      return diff.heap.peak_bytes;
    case RuleMetric::kLeaked:
      return diff.heap.leaked_bytes;
    default:
      return diff.totals.wall_ns;
  }
}

// Nothing when the metric needs both sides and one is missing.
std::optional<Change> function_change(const FunctionDiff& diff, RuleMetric metric) {
  if (needs_function(metric) && !diff.is_common()) return std::nullopt;
  switch (metric) {
    case RuleMetric::kSelfWall:
      return diff.wall_self_ns;
    case RuleMetric::kTotalWall:
      return diff.wall_total_ns;
    case RuleMetric::kSelfCpu:
      return diff.cpu_self_ns;
    case RuleMetric::kTotalCpu:
      return diff.cpu_total_ns;
    case RuleMetric::kCalls:
      return diff.calls;
    case RuleMetric::kMean:
      return diff.mean_ns;
    case RuleMetric::kP99:
      return diff.p99_ns;
    case RuleMetric::kPsi:
      if (!diff.drift) return std::nullopt;
      return Change{0, *diff.drift};
    case RuleMetric::kSelfSamples:
      return diff.self_samples;
    case RuleMetric::kTotalSamples:
      return diff.total_samples;
    case RuleMetric::kBytes:
      return diff.bytes;
    case RuleMetric::kErrors:
      return diff.errors;
    case RuleMetric::kAllocations:
      return diff.allocations;
    case RuleMetric::kAllocated:
      return diff.allocated_bytes;
    case RuleMetric::kPeak:
      return diff.peak_bytes;
    case RuleMetric::kLeaked:
      return diff.leaked_bytes;
    default:
      return std::nullopt;
  }
  return std::nullopt;
}

// The samples that a metric comes from; nothing if it is exact.
const Change* samples_behind(const ProfileDiff& diff, const FunctionDiff* function,
                             RuleMetric metric) {
  const bool cpu = metric == RuleMetric::kSelfCpu || metric == RuleMetric::kTotalCpu;
  const bool samples = metric == RuleMetric::kSelfSamples || metric == RuleMetric::kTotalSamples;
  if (!samples && !(cpu && diff.sampled)) return nullptr;
  if (function == nullptr) return &diff.totals.samples;
  const bool self = metric == RuleMetric::kSelfCpu || metric == RuleMetric::kSelfSamples;
  return self ? &function->self_samples : &function->total_samples;
}

// Chance explains it: too few samples, or an estimate's error.
bool may_be_chance(const Change& change, const Change* samples) {
  if (samples != nullptr && std::fabs(sigmas(*samples)) < kSignificantSigmas) return true;
  return change.variance > 0 && std::fabs(change.delta()) < kSignificantSigmas * change.error();
}

}  // namespace

bool counts_things(RuleMetric metric) {
  switch (metric) {
    case RuleMetric::kCalls:
    case RuleMetric::kSelfSamples:
    case RuleMetric::kTotalSamples:
    case RuleMetric::kBytes:
    case RuleMetric::kErrors:
    case RuleMetric::kExceptions:
    case RuleMetric::kAllocations:
    case RuleMetric::kAllocated:
    case RuleMetric::kPeak:
    case RuleMetric::kLeaked:
      return true;
    default:
      return false;
  }
}

std::string_view rule_metric_name(RuleMetric metric) {
  for (const auto& [name, known] : kMetrics) {
    if (known == metric) return name;
  }
  return "";
}

Result<FailRule> parse_fail_rule(std::string_view text) {
  FailRule rule;
  rule.text = std::string(trimmed(text));
  std::string_view rest = rule.text;
  auto glob = take_function(text, rest);
  if (!glob) return glob.error();
  rule.function_glob = *glob;
  const std::size_t sign = rest.find_first_of("<>");
  const std::string_view name = trimmed(rest.substr(0, sign));
  const auto metric = find_metric(name);
  if (!metric) {
    return wrong(text, fmt::format("'{}' is no metric; one of {}", name, metric_names()));
  }
  rule.metric = *metric;
  if (needs_function(*metric) && !rule.function_glob) {
    return wrong(text, fmt::format("{} needs a function, such as func(*).{}", name, name));
  }
  if (has_no_function(*metric) && rule.function_glob) {
    return wrong(text, fmt::format("{} is of the whole recording, not of a function", name));
  }
  rest = sign == std::string_view::npos ? std::string_view() : rest.substr(sign);
  do {
    constexpr std::string_view kAnd = " and ";
    const std::size_t end = rest.find(kAnd);
    const auto limit = parse_limit(text, *metric, trimmed(rest.substr(0, end)));
    if (!limit) return limit.error();
    rule.limits.push_back(*limit);
    if (end == std::string_view::npos) break;
    rest = trimmed(rest.substr(end + kAnd.size()));
  } while (true);
  return rule;
}

Result<RuleOutcome> apply_rule(const FailRule& rule, const ProfileDiff& diff) {
  RuleOutcome outcome;
  outcome.rule = &rule;
  const auto check = [&](const FunctionDiff* subject, const Change& change) {
    if (may_be_chance(change, samples_behind(diff, subject, rule.metric))) return;
    const Function* function = subject == nullptr ? nullptr : &subject->function();
    for (const RuleLimit& limit : rule.limits) {
      if (!passes(limit, change)) return;
    }
    outcome.violations.push_back({function, change});
  };
  if (!rule.function_glob) {
    check(nullptr, whole_change(diff, rule.metric));
    return outcome;
  }
  bool any = false;
  for (const FunctionDiff& function : diff.functions) {
    if (!matches_name(*rule.function_glob, function.function())) continue;
    any = true;
    const auto change = function_change(function, rule.metric);
    if (change) check(&function, *change);
  }
  if (!any) {
    return Error{ErrorKind::kUsage,
                 fmt::format("--fail-on '{}': no function matches '{}' in either recording",
                             rule.text, *rule.function_glob)};
  }
  return outcome;
}

}  // namespace spyglass
