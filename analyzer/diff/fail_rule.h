// SPDX-License-Identifier: Apache-2.0
// fail_rule.h - what --fail-on calls a regression.
//
//   EXPRESSION = [ "func(" GLOB ")." ] METRIC LIMIT { "and" LIMIT }
//   METRIC     = "self_wall" | "total_wall" | "self_cpu" | "total_cpu" | "calls" | "mean" | "p99" |
//                "psi" | "self_samples" | "total_samples" | "wait" | "lock_wait" | "io" | "bytes" |
//                "errors" | "exceptions" | "allocations" | "allocated" | "peak" | "leaked"
//   LIMIT      = ( ">" | ">=" | "<" | "<=" ) AMOUNT AMOUNT     = NUMBER "%"      of the base
//              | NUMBER UNIT     for times: ns, us, ms, s, m, h
//              | NUMBER          for calls and psi
//
// The last three are bytes of memory; "total_" may stand before them. wait, lock_wait and io are
// times in operations. What comes from samples (also CPU times where calls were not timed, and
// sampled memory of the whole recording) fails only if the change is more than chance, 3 standard
// deviations. A function's sampled memory has no error that is known: it is compared as it is.
//
// Limits apply to the change, new minus base; psi has no base, so to itself. Without func(), a
// metric is that of the whole recording, which mean, p99 and psi do not have. A function that is
// only in the new recording has grown by more than any percentage in times and calls; mean, p99 and
// psi compare only functions that both recordings have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/diff/profile_diff.h"
#include "format/result.h"

namespace spyglass {

enum class RuleMetric {
  kSelfWall,
  kTotalWall,
  kSelfCpu,
  kTotalCpu,
  kCalls,
  kMean,
  kP99,
  kPsi,
  kSelfSamples,
  kTotalSamples,
  kWait,
  kLockWait,
  kIo,
  kBytes,
  kErrors,
  kExceptions,
  kAllocations,
  kAllocated,
  kPeak,
  kLeaked,
};

struct RuleLimit {
  enum class Comparison { kAbove, kAtLeast, kBelow, kAtMost };
  Comparison comparison = Comparison::kAbove;
  double amount = 0;  // a share (0.05) when relative, else ns, calls or an index
  bool relative = false;
};

struct FailRule {
  std::string text;
  std::optional<std::string> function_glob;
  RuleMetric metric = RuleMetric::kTotalWall;
  std::vector<RuleLimit> limits;  // all must be passed to fail
};

struct Violation {
  const Function* function = nullptr;  // nothing: the whole recording
  Change change;                       // psi: base is 0
};

struct RuleOutcome {
  const FailRule* rule = nullptr;
  std::vector<Violation> violations;
  bool failed() const { return !violations.empty(); }
};

// Errors: one line that quotes the expression and says what was expected.
Result<FailRule> parse_fail_rule(std::string_view text);
// Errors: func() matches nothing in either recording; a gate that checks nothing would pass for
// ever. `rule` and the profiles outlive the outcome.
Result<RuleOutcome> apply_rule(const FailRule& rule, const ProfileDiff& diff);

std::string_view rule_metric_name(RuleMetric metric);
// Whether it is a number of things rather than a time or an index.
bool counts_things(RuleMetric metric);

}  // namespace spyglass
