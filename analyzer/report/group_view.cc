// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/group_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <tuple>
#include <unordered_map>

#include "analyzer/report/name_match.h"
#include "analyzer/report/tree_view.h"
#include "analyzer/report/weight.h"

namespace spyglass {
namespace {

constexpr std::size_t kMaxGroupFileBytes = 16U << 20U;

bool matches_pattern(const std::string& pattern, const Function& function) {
  constexpr std::string_view kModule = "module=";
  constexpr std::string_view kFile = "file=";
  if (pattern.starts_with(kModule)) {
    const std::string_view glob = std::string_view(pattern).substr(kModule.size());
    return glob_match(glob, function.module) || glob_match(glob, module_name(function.module));
  }
  if (pattern.starts_with(kFile)) {
    const std::string_view glob = std::string_view(pattern).substr(kFile.size());
    return !function.file.empty() &&
           (glob_match(glob, function.file) || glob_match(glob, module_name(function.file)));
  }
  return matches_name(pattern, function);
}

std::string group_of(const Function& function, std::string_view by,
                     const std::vector<GroupRule>& rules) {
  if (function.kind == FunctionKind::kOperation && rules.empty()) return "(operations)";
  if (by == "module") return std::string(module_name(function.module));
  if (by == "file") return function.file.empty() ? "(unknown)" : function.file;
  if (by == "namespace") return scope_name(function.name);
  for (const GroupRule& rule : rules) {
    for (const std::string& pattern : rule.patterns) {
      if (matches_pattern(pattern, function)) return rule.name;
    }
  }
  return "(other)";
}

// Adds the time that any function of a group was on the stack: nodes with none of it above them.
void add_totals(const Profile& profile, const std::vector<std::uint32_t>& group_of_function,
                std::vector<Group>& groups) {
  const ChildIndex children(profile.nodes);
  std::vector<std::uint32_t> active(groups.size());
  const auto group_at = [&](std::uint32_t node) {
    return group_of_function[profile.nodes[node].function];
  };
  walk_tree(
      profile.nodes, children,
      [&](std::uint32_t node) {
        const std::uint32_t group = group_at(node);
        if (active[group]++ > 0) return;
        groups[group].wall_total_ns += profile.nodes[node].metrics.wall_total_ns;
        groups[group].cpu_total_ns += profile.nodes[node].metrics.cpu_total_ns;
        groups[group].samples.total += profile.nodes[node].metrics.samples.total;
      },
      [&](std::uint32_t node) { --active[group_at(node)]; });
}

}  // namespace

Result<std::vector<GroupRule>> read_group_rules(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content;
  if (file) {
    content.resize(kMaxGroupFileBytes + 1);
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<std::size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad()) {
    return Error{ErrorKind::kSystem, fmt::format("cannot open group file '{}': {}", path,
                                                 std::strerror(errno != 0 ? errno : EIO))};
  }
  if (content.size() > kMaxGroupFileBytes) {
    return Error{ErrorKind::kUsage, fmt::format("group file '{}' is larger than 16 MiB", path)};
  }
  std::vector<GroupRule> rules;
  std::istringstream lines(content);
  std::string line;
  for (std::size_t number = 1; std::getline(lines, line); ++number) {
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    // The name ends at the first lone colon, so that patterns and names may hold "::".
    std::size_t colon = line.find(':');
    while (colon != std::string::npos && line.substr(colon, 2) == "::") {
      colon = line.find(':', colon + 2);
    }
    std::istringstream words(colon == std::string::npos ? "" : line.substr(colon + 1));
    GroupRule rule;
    rule.name = line.substr(0, colon);
    rule.name.erase(0, rule.name.find_first_not_of(" \t"));
    rule.name.erase(rule.name.find_last_not_of(" \t") + 1);
    for (std::string word; words >> word;) rule.patterns.push_back(word);
    if (rule.name.empty() || rule.patterns.empty()) {
      return Error{ErrorKind::kUsage,
                   fmt::format("{}:{}: expected 'name: pattern ...'", path, number)};
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

std::vector<Group> grouped(const Profile& profile, std::string_view by,
                           const std::vector<GroupRule>& rules) {
  std::vector<Group> groups;
  std::unordered_map<std::string, std::uint32_t> index;
  std::vector<std::uint32_t> group_of_function;
  for (const Function& function : profile.functions) {
    const std::string name = group_of(function, by, rules);
    const auto [entry, fresh] = index.try_emplace(name, static_cast<std::uint32_t>(groups.size()));
    if (fresh) {
      groups.emplace_back();
      groups.back().name = name;
    }
    group_of_function.push_back(entry->second);
    Group& group = groups[entry->second];
    ++group.functions;
    group.calls += function.metrics.calls;
    group.wall_self_ns += function.metrics.wall_self_ns;
    group.cpu_self_ns += function.metrics.cpu_self_ns;
    group.samples.self += function.metrics.samples.self;
  }
  add_totals(profile, group_of_function, groups);
  const bool by_cpu = usual_weight(profile) == Weight::kCpu;
  std::sort(groups.begin(), groups.end(), [by_cpu](const Group& a, const Group& b) {
    const double weight_a = by_cpu ? a.cpu_self_ns : a.wall_self_ns;
    const double weight_b = by_cpu ? b.cpu_self_ns : b.wall_self_ns;
    if (weight_a != weight_b) return weight_a > weight_b;
    return a.name < b.name;
  });
  return groups;
}

}  // namespace spyglass
