// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/name_match.h"

#include <algorithm>
#include <array>
#include <vector>

#include "analyzer/report/safe_text.h"

namespace spyglass {
namespace {

constexpr std::string_view kOperator = "operator";
constexpr std::string_view kAnonymous = "(anonymous";
constexpr std::string_view kConst = " const::";

bool is_opening(char c) { return c == '<' || c == '(' || c == '[' || c == '{'; }
bool is_closing(char c) { return c == '>' || c == ')' || c == ']' || c == '}'; }
bool is_word(char c) {
  return c == '_' || c == '$' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

// Longest first, so that "<<" is not taken for "<".
constexpr std::array<std::string_view, 42> kSigns = {
    "<=>", "<<=", ">>=", "->*", "()", "[]", "<<", ">>", "<=", ">=", "==", "!=",   "&&", "||",
    "++",  "--",  "+=",  "-=",  "*=", "/=", "%=", "^=", "&=", "|=", "->", "+",    "-",  "*",
    "/",   "%",   "^",   "&",   "|",  "~",  "!",  "=",  "<",  ">",  ",",  "\"\"", "?",  "@"};

// Where "operator" and its sign end, if that is what stands at `at`; else `at`.
std::size_t after_operator(std::string_view name, std::size_t at) {
  if (name.substr(at, kOperator.size()) != kOperator) return at;
  if (at > 0 && is_word(name[at - 1])) return at;
  std::size_t end = at + kOperator.size();
  if (end < name.size() && is_word(name[end])) return at;
  for (const std::string_view sign : kSigns) {
    if (name.substr(end, sign.size()) != sign) continue;
    end += sign.size();
    // Template arguments of a sign that ends in '<' follow a blank.
    return name.substr(end, 2) == " <" ? end + 1 : end;
  }
  while (end < name.size() && name[end] != '(') ++end;  // a conversion, new or delete
  return end;
}

// Just behind the bracket that closes the one at `at`; the end if none does.
std::size_t after_brackets(std::string_view name, std::size_t at) {
  int depth = 0;
  for (; at < name.size(); ++at) {
    if (is_opening(name[at])) ++depth;
    if (is_closing(name[at]) && --depth == 0) return at + 1;
  }
  return at;
}

// What the scanner below finds in a demangled name.
struct NameParts {
  std::size_t begin = 0;  // after the return type
  std::size_t end = 0;    // before the arguments
  std::size_t last = 0;   // where the last component begins
  // Where template arguments, or the arguments of an enclosing function, first begin.
  std::size_t inner = std::string_view::npos;
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
      if (name[i] == '(' && i > parts.begin && name.substr(i, kAnonymous.size()) != kAnonymous) {
        std::size_t behind = after_brackets(name, i);
        if (name.substr(behind, kConst.size()) == kConst) behind += kConst.size() - 2;
        if (name.substr(behind, 2) != "::") {
          parts.end = i;
          break;
        }
        // The arguments of a function that has the wanted one inside, such as a lambda.
        parts.inner = std::min(parts.inner, i);
        i = behind - 1;
        continue;
      }
      if (name[i] == ' ') {
        parts.begin = parts.last = i + 1;
        parts.inner = std::string_view::npos;
      } else if (name.substr(i, 2) == "::") {
        parts.last = i + 2;
      } else if (name[i] == '<') {
        parts.inner = std::min(parts.inner, i);
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
  if (parts.inner < end) {  // a template or a function is no scope to group by
    end = name.substr(0, parts.inner).rfind("::");
    end = end == std::string_view::npos ? parts.begin : end + 2;
  }
  return end < parts.begin + 2 ? "(global)"
                               : std::string(name.substr(parts.begin, end - 2 - parts.begin));
}

std::string compact_name(std::string_view name, std::size_t width) {
  if (display_width(name) <= width) return std::string(name);
  std::string compact;
  std::size_t last = 0;  // in `compact`: where the last component begins
  std::vector<std::size_t> scopes = {0};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const std::size_t after = after_operator(name, i);
    if (after != i) {
      compact += name.substr(i, after - i);
      i = after - 1;
    } else if (name[i] == '<' ||
               (name[i] == '(' && name.substr(i, kAnonymous.size()) != kAnonymous)) {
      compact += name[i] == '<' ? "<…>" : "(…)";
      i = after_brackets(name, i) - 1;
    } else {
      compact += name[i];
      if (compact.ends_with("::")) scopes.push_back(last = compact.size());
    }
  }
  for (const std::size_t scope : scopes) {
    std::string shown = (scope == 0 ? "" : "…") + compact.substr(scope);
    if (display_width(shown) <= width) return shown;
  }
  return shortened(compact.substr(last), width);
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
