// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/name_match.h"

#include <array>

namespace spyglass {
namespace {

constexpr std::string_view kOperator = "operator";

bool is_opening(char c) { return c == '<' || c == '(' || c == '[' || c == '{'; }
bool is_closing(char c) { return c == '>' || c == ')' || c == ']' || c == '}'; }
bool is_word(char c) {
  return c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

// Where "operator" and its sign end, if that is what stands at `at`; else `at`.
std::size_t after_operator(std::string_view name, std::size_t at) {
  if (name.substr(at, kOperator.size()) != kOperator) return at;
  if (at > 0 && is_word(name[at - 1])) return at;
  std::size_t end = at + kOperator.size();
  if (end < name.size() && is_word(name[end])) return at;
  if (name.substr(end, 2) == "()" || name.substr(end, 2) == "[]") return end + 2;
  while (end < name.size() && name[end] != '(' && !is_word(name[end]) && name[end] != ' ') ++end;
  if (end == at + kOperator.size()) {  // a conversion, new or delete: up to the arguments
    while (end < name.size() && name[end] != '(') ++end;
  }
  if (name.substr(end, 2) == " <") ++end;  // template arguments of a sign that ends in '<'
  return end;
}

// What the scanner below finds in a demangled name.
struct NameParts {
  std::size_t begin = 0;  // after the return type
  std::size_t end = 0;    // before the arguments
  std::size_t last = 0;   // where the last component begins
  std::size_t first_template = std::string_view::npos;
};

NameParts split_name(std::string_view name) {
  NameParts parts;
  parts.end = name.size();
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (depth == 0) {
      const std::size_t after = after_operator(name, i);
      if (after != i) {
        i = after - 1;
        continue;
      }
      if (name[i] == '(' && i > parts.begin && name.substr(i, 10) != "(anonymous") {
        parts.end = i;
        break;
      }
      if (name[i] == ' ') {
        parts.begin = parts.last = i + 1;
        parts.first_template = std::string_view::npos;
      } else if (name.substr(i, 2) == "::") {
        parts.last = i + 2;
      } else if (name[i] == '<' && parts.first_template == std::string_view::npos) {
        parts.first_template = i;
      }
    }
    if (is_opening(name[i])) ++depth;
    if (is_closing(name[i]) && depth > 0) --depth;
  }
  // A name that ends in a blank or a remark such as " [clone .cold]" has nothing behind it.
  if (parts.begin >= parts.end) return NameParts{0, name.size(), 0, std::string_view::npos};
  return parts;
}

std::string_view without_clone(std::string_view name) {
  const std::size_t at = name.find(" [clone ");
  return at == std::string_view::npos ? name : name.substr(0, at);
}

}  // namespace

bool has_wildcard(std::string_view pattern) {
  return pattern.find_first_of("*?") != std::string_view::npos;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view qualified_name(std::string_view full_name) {
  const std::string_view name = without_clone(full_name);
  const NameParts parts = split_name(name);
  return name.substr(parts.begin, parts.end - parts.begin);
}

std::string_view bare_name(std::string_view full_name) {
  const std::string_view name = without_clone(full_name);
  const NameParts parts = split_name(name);
  return name.substr(parts.last, parts.end - parts.last);
}

std::string scope_name(std::string_view full_name) {
  std::string_view name = without_clone(full_name);
  NameParts parts = split_name(name);
  if (parts.begin < name.size() && name[parts.begin] == '<') {  // Rust: <Type as Trait>::method
    name = name.substr(parts.begin + 1);
    const std::size_t end = name.find_first_of("< >");
    name = name.substr(0, end);
    const std::size_t cut = name.rfind("::");
    return cut == std::string_view::npos ? "(global)" : std::string(name.substr(0, cut));
  }
  std::size_t end = parts.last;
  if (parts.first_template < end) {  // the template itself is a type, no scope to group by
    end = name.substr(0, parts.first_template).rfind("::");
    end = end == std::string_view::npos ? parts.begin : end + 2;
  }
  return end < parts.begin + 2 ? "(global)"
                               : std::string(name.substr(parts.begin, end - 2 - parts.begin));
}

std::string_view module_name(std::string_view path) {
  if (path.empty()) return "(unknown)";
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || slash + 1 == path.size() ? path
                                                                     : path.substr(slash + 1);
}

bool matches_name(std::string_view pattern, const Function& function) {
  const std::array<std::string_view, 5> forms = {function.name, function.short_name,
                                                 function.symbol, qualified_name(function.name),
                                                 bare_name(function.name)};
  const bool glob = has_wildcard(pattern);
  for (const std::string_view form : forms) {
    if (form == pattern || (glob && !form.empty() && glob_match(pattern, form))) return true;
  }
  return qualified_name(function.short_name) == pattern ||
         (glob && glob_match(pattern, qualified_name(function.short_name)));
}

std::vector<std::uint32_t> find_functions(const Profile& profile, std::string_view pattern) {
  std::vector<std::uint32_t> found;
  const auto& functions = profile.functions;
  for (std::uint32_t i = 0; i < functions.size(); ++i) {
    if (matches_name(pattern, functions[i])) found.push_back(i);
  }
  if (!found.empty() || has_wildcard(pattern) || pattern.empty()) return found;
  for (std::uint32_t i = 0; i < functions.size(); ++i) {
    const Function& function = functions[i];
    if (function.name.find(pattern) != std::string::npos ||
        function.short_name.find(pattern) != std::string::npos) {
      found.push_back(i);
    }
  }
  return found;
}

}  // namespace spyglass
