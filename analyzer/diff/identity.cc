// SPDX-License-Identifier: Apache-2.0
#include "analyzer/diff/identity.h"

#include <algorithm>
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

bool has_functions_of(const Profile& profile, std::string_view module) {
  return std::any_of(
      profile.functions.begin(), profile.functions.end(),
      [module](const Function& function) { return module_name(function.module) == module; });
}

// Two builds of one program under different names, rather than a program and, say, a launcher of
// it.
bool is_renamed(const Profile& base, const Profile& now, const std::string& base_program,
                const std::string& new_program) {
  const std::string_view base_name = module_name(base_program);
  const std::string_view new_name = module_name(new_program);
  return base_name != new_name && !has_functions_of(now, base_name) &&
         !has_functions_of(base, new_name);
}

// `program`: the module that is known by being the program; empty for none.
std::string plain_key(const Function& function, const std::string& program) {
  if (function.module.empty() && function.name.starts_with("0x")) return "0x";
  std::string key;
  if (function.made_at_run_time) {
    key = "/";  // no module's name, and not the number of the process
  } else if (program.empty() || function.module != program) {
    key = unversioned(module_name(function.module));
  }
  return key + kSeparator + function.name;
}

std::vector<std::string> plain_keys(const Profile& profile, const std::string& program) {
  std::vector<std::string> keys;
  keys.reserve(profile.functions.size());
  for (const Function& function : profile.functions) keys.push_back(plain_key(function, program));
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
  const std::string base_program = main_executable(base);
  const std::string new_program = main_executable(now);
  const bool renamed = is_renamed(base, now, base_program, new_program);
  const auto base_keys = plain_keys(base, renamed ? base_program : "");
  const auto new_keys = plain_keys(now, renamed ? new_program : "");
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
