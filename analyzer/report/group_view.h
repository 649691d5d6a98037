// SPDX-License-Identifier: Apache-2.0
// group_view.h - functions added up by module, file, namespace, or groups that the user names.
//
// A group file has lines `name: pattern pattern ...`; `#` begins a comment. A pattern is a glob on
// function names, `module=GLOB` or `file=GLOB`. The first group that matches takes the function;
// the others make up "(other)".
//
//   Where    report.
//   Errors   a group file that cannot be read, or whose lines make no sense, with the line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"
#include "format/result.h"

namespace spyglass {

struct GroupRule {
  std::string name;
  std::vector<std::string> patterns;
};

struct Group {
  std::string name;
  std::uint32_t functions = 0;
  std::uint64_t calls = 0;   // of its functions, by whomever
  double wall_total_ns = 0;  // with a function of the group on the stack
  double wall_self_ns = 0;
  double cpu_total_ns = 0;
  double cpu_self_ns = 0;
  Tally samples{};
};

Result<std::vector<GroupRule>> read_group_rules(const std::string& path);

// `by`: "module", "file", "namespace", or anything else with `rules`. Largest first, by the usual
// weight.
std::vector<Group> grouped(const Profile& profile, std::string_view by,
                           const std::vector<GroupRule>& rules);

}  // namespace spyglass
