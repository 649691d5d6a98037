// SPDX-License-Identifier: Apache-2.0
// diff_report.h - a comparison as text or JSON: the door of this folder.
//
//   Where    analyzer.
//   Errors   those of the stream that is written to.
#pragma once

#include <ostream>
#include <vector>

#include "analyzer/diff/fail_rule.h"
#include "analyzer/diff/profile_diff.h"
#include "analyzer/report/text_table.h"

namespace spyglass {

struct DiffView {
  DiffKey key = DiffKey::kSelf;
  std::size_t top = 0;       // rows of each table; 0: all
  double threshold = 0.001;  // of the larger recording's time or calls; less is left out
  bool tree = false;
};

void write_diff(std::ostream& out, const TextStyle& style, const ProfileDiff& diff,
                const DiffView& view);
// Which rules failed, where and by how much.
void write_outcomes(std::ostream& out, const TextStyle& style,
                    const std::vector<RuleOutcome>& outcomes);
// As docs/json.md says.
void write_diff_json(std::ostream& out, const ProfileDiff& diff, const DiffView& view,
                     const std::vector<RuleOutcome>& outcomes);

// Whether the change is large enough to be shown.
bool is_shown(const ProfileDiff& diff, const DiffView& view, const FunctionDiff& function);
// By index in diff.paths: changed enough to be shown, or above one that is.
std::vector<bool> visible_paths(const ProfileDiff& diff, const DiffView& view);

}  // namespace spyglass
