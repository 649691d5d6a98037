// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/identity.h"

#include <unordered_map>
#include <unordered_set>

#include "analyzer/report/name_match.h"

namespace spyglass {
namespace {

constexpr char kSeparator = '\0';

// The executable of the process that spyglass-run started, after its last exec.
std::string main_executable(const Profile& profile) {
  if (profile.processes.empty()) return {};
  const std::uint32_t pid = profile.processes.front().record.pid;
  std::string path = profile.processes.front().record.executable;
  for (const ProcessInfo& process : profile.processes) {
    if (process.record.pid != pid || process.record.executable.empty()) continue;
    path = process.record.executable;
    if (process.record.exit != format::ExitKind::kExeced) break;
  }
  return path;
}

std::string unversioned(std::string_view module) {
  constexpr std::string_view kShared = ".so.";
  const std::size_t at = module.find(kShared);
  return std::string(at == std::string_view::npos ? module
                                                  : module.substr(0, at + kShared.size() - 1));
}

std::string plain_key(const Function& function, const std::string& executable) {
  if (function.module.empty() && function.name.starts_with("0x")) return "0x";
  std::string key;
  if (function.module.empty() || function.module != executable) {
    key = unversioned(module_name(function.module));
  }
  return key + kSeparator + function.name;
}

std::vector<std::string> plain_keys(const Profile& profile) {
  const std::string executable = main_executable(profile);
  std::vector<std::string> keys;
  keys.reserve(profile.functions.size());
  for (const Function& function : profile.functions)
    keys.push_back(plain_key(function, executable));
  return keys;
}

void collect_repeated(const std::vector<std::string>& keys,
                      std::unordered_set<std::string>& repeated) {
  std::unordered_set<std::string> seen;
  for (const std::string& key : keys) {
    if (!seen.insert(key).second) repeated.insert(key);
  }
}

}  // namespace

Identities identify_functions(const Profile& base, const Profile& now) {
  const auto base_keys = plain_keys(base);
  const auto new_keys = plain_keys(now);
  std::unordered_set<std::string> repeated;
  collect_repeated(base_keys, repeated);
  collect_repeated(new_keys, repeated);
  std::unordered_map<std::string, std::uint32_t> numbers;
  const auto number_all = [&](const Profile& profile, const std::vector<std::string>& keys) {
    std::vector<std::uint32_t> identities;
    identities.reserve(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      std::string key = keys[i];
      if (repeated.contains(key)) {
        key += kSeparator;
        key += module_name(profile.functions[i].file);
      }
      const auto next = static_cast<std::uint32_t>(numbers.size());
      identities.push_back(numbers.try_emplace(std::move(key), next).first->second);
    }
    return identities;
  };
  Identities result;
  result.of_base = number_all(base, base_keys);
  result.of_new = number_all(now, new_keys);
  result.count = static_cast<std::uint32_t>(numbers.size());
  return result;
}

}  // namespace spyglass
