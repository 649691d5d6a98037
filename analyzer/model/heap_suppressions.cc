// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/heap_suppressions.h"

#include <algorithm>
#include <array>

#include "analyzer/model/site_role.h"

namespace spyglass::model {
namespace {

// Functions of the C and C++ runtimes that keep what they (not what they call back) allocate.
constexpr std::array<std::string_view, 31> kKeepers = {"^_IO_file_doallocate$",
                                                       "^_IO_wdoallocbuf$",
                                                       "^_dl_*",
                                                       "^dl_*",
                                                       "^__tls_get_addr$",
                                                       "^dlopen*",
                                                       "^dlsym$",
                                                       "^dlerror$",
                                                       "^setlocale$",
                                                       "^newlocale$",
                                                       "^__newlocale$",
                                                       "^bindtextdomain$",
                                                       "^textdomain$",
                                                       "^__dcigettext$",
                                                       "^dcgettext*",
                                                       "^iconv_open$",
                                                       "^tzset$",
                                                       "^localtime*",
                                                       "^__tz*",
                                                       "^mktime$",
                                                       "^strftime*",
                                                       "^getpw*",
                                                       "^getgr*",
                                                       "^__cxa_atexit$",
                                                       "^__cxa_thread_atexit*",
                                                       "^pthread_create*",
                                                       "^__new_exitfn$",
                                                       "^std::locale::*",
                                                       "^std::ios_base::Init*",
                                                       "^__gnu_cxx::__free*",
                                                       "^__pthread_create*"};
constexpr std::string_view kRuntimeStart = "[what the runtime sets up for itself]";

bool is_runtime(const Function& function) {
  constexpr std::array<std::string_view, 7> kLibraries = {
      "libc.so", "ld-linux", "libstdc++.so", "libgcc_s.so", "libpthread.so", "libm.so", "libdl.so"};
  const std::string_view path = function.module;
  const std::string_view module = path.substr(path.rfind('/') + 1);
  return std::ranges::any_of(kLibraries,
                             [&](std::string_view library) { return module.starts_with(library); });
}

// Whether `pattern`, in which only `*` is special, is all of `text`.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last one seen, and where it began to match
  std::size_t from = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

class Suppressor {
 public:
  Suppressor(const std::vector<Function>& functions, const std::vector<std::string>& patterns,
             std::vector<Suppression>& known)
      : functions_(functions),
        known_(known),
        by_user_(functions.size(), kUnasked),
        by_runtime_(functions.size(), kUnasked) {
    for (const std::string& pattern : patterns) {
      known_.push_back({pattern, false, 0, 0});
    }
    users_ = static_cast<std::uint32_t>(known_.size());
    for (const std::string_view keeper : kKeepers) {
      known_.push_back({std::string(keeper), true, 0, 0});
    }
    known_.push_back({std::string(kRuntimeStart), true, 0, 0});
  }

  // The user's suppression that a frame of this function matches; 0: none.
  std::uint32_t by_user(std::uint32_t index) {
    std::uint32_t& answer = by_user_[index];
    if (answer == kUnasked) {
      const Function& function = functions_[index];
      answer = 0;
      for (std::uint32_t i = 0; i < users_ && answer == 0; ++i) {
        const std::string& pattern = known_[i].pattern;
        for (const std::string* name :
             {&function.name, &function.symbol, &function.file, &function.module}) {
          answer = suppression_matches(pattern, *name) ? i + 1 : answer;
        }
      }
    }
    return answer;
  }

  // Whether the runtime keeps what was allocated below `node`, before any other code's frame.
  std::uint32_t by_design(const std::vector<LaidNode>& nodes, std::uint32_t node) {
    const bool called = node != 0;
    for (; node != 0; node = nodes[node].parent) {
      const Function& function = functions_[nodes[node].function];
      if (!is_runtime(function)) {
        return 0;
      }
      if (const std::uint32_t keeper = keeper_of(nodes[node].function); keeper != 0) {
        return keeper;
      }
    }
    return called ? static_cast<std::uint32_t>(known_.size()) : 0;
  }

 private:
  static constexpr std::uint32_t kUnasked = ~std::uint32_t{0};

  std::uint32_t keeper_of(std::uint32_t index) {
    std::uint32_t& answer = by_runtime_[index];
    if (answer == kUnasked) {
      answer = 0;
      for (std::uint32_t i = users_; i < known_.size() && answer == 0; ++i) {
        answer = suppression_matches(known_[i].pattern, functions_[index].name) ? i + 1 : 0;
      }
    }
    return answer;
  }

  const std::vector<Function>& functions_;
  std::vector<Suppression>& known_;
  std::vector<std::uint32_t> by_user_;  // by function
  std::vector<std::uint32_t> by_runtime_;
  std::uint32_t users_ = 0;
};

}  // namespace

Result<std::vector<std::string>> parse_suppressions(std::string_view text) {
  constexpr std::string_view kKind = "leak:";
  constexpr std::string_view kSpace = " \t\r";
  std::vector<std::string> patterns;
  for (std::size_t number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(kSpace)));
    line = line.substr(0, line.find_last_not_of(kSpace) + 1);
    if (line.empty() || line.front() == '#') {
      continue;
    }
    if (!line.starts_with(kKind) || line.size() == kKind.size()) {
      return Error{ErrorKind::kUsage, "line " + std::to_string(number) + " is not leak:PATTERN"};
    }
    patterns.emplace_back(line.substr(kKind.size()));
  }
  return patterns;
}

bool suppression_matches(std::string_view pattern, std::string_view name) {
  if (name.empty()) {
    return false;
  }
  const bool from_begin = pattern.starts_with('^');
  pattern.remove_prefix(from_begin ? 1 : 0);
  const bool to_end = pattern.ends_with('$');
  pattern.remove_suffix(to_end ? 1 : 0);
  std::string whole = from_begin ? "" : "*";
  whole += pattern;
  whole += to_end ? "" : "*";
  return glob(whole, name);
}

std::vector<std::uint32_t> suppressed_nodes(const std::vector<LaidNode>& nodes,
                                            const std::vector<Function>& functions,
                                            const std::vector<std::string>& patterns,
                                            std::vector<Suppression>& known) {
  Suppressor suppressor(functions, patterns, known);
  std::vector<std::uint32_t> found(nodes.size(), 0);
  for (std::uint32_t i = 1; i < nodes.size(); ++i) {  // parents first
    const LaidNode& node = nodes[i];
    found[i] = found[node.parent];
    if (found[i] == 0) {
      found[i] = suppressor.by_user(node.function);
    }
  }
  for (std::uint32_t i = 1; i < nodes.size(); ++i) {
    const Function& function = functions[nodes[i].function];
    if (found[i] == 0 && function.kind == FunctionKind::kOperation &&
        is_memory_operation(function.operation)) {
      found[i] = suppressor.by_design(nodes, nodes[i].parent);
    }
  }
  return found;
}

}  // namespace spyglass::model
