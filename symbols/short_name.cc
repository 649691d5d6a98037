// SPDX-License-Identifier: Apache-2.0
// A demangled name is read as  [return type] component (:: component)* [qualifiers]  with
// component = identifier [template arguments] [parameters]. Only the last declarator at the top
// level counts: what stands before a space that ends a type is a return type. Nesting is skipped
// with an explicit stack of brackets and recursion goes two template levels deep, whatever the
// input.
#include <algorithm>
#include <array>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "symbols/elf_symbols.h"
#include "symbols/name_brackets.h"

namespace spyglass {
namespace {

constexpr std::size_t kMaxInputBytes = 64U << 10U;
constexpr std::size_t kMaxArguments = 3;
constexpr std::size_t kMaxArgumentBytes = 48;
constexpr std::string_view kAnonymous = "(anonymous namespace)";

// Library arguments that people never write.
bool is_default_argument(std::string_view argument) {
  static constexpr std::array<std::string_view, 9> kDefaults = {"std::allocator<",
                                                                "std::less<",
                                                                "std::hash<",
                                                                "std::equal_to<",
                                                                "std::char_traits<",
                                                                "std::default_delete<",
                                                                "std::pmr::polymorphic_allocator<",
                                                                "std::__detail::",
                                                                "std::regex_traits<"};
  return std::ranges::any_of(
      kDefaults, [argument](std::string_view prefix) { return argument.starts_with(prefix); });
}

// `std::basic_string` with `char` is `std::string`; empty where there is no such name.
std::string character_alias(std::string_view name, std::string_view first_argument) {
  static constexpr std::array<std::string_view, 12> kFamilies = {
      "string", "string_view", "ostream", "istream",       "iostream",      "streambuf",
      "ios",    "filebuf",     "fstream", "ostringstream", "istringstream", "stringstream"};
  constexpr std::string_view kPrefix = "std::basic_";
  if (!name.starts_with(kPrefix) || (first_argument != "char" && first_argument != "wchar_t")) {
    return {};
  }
  const std::string_view family = name.substr(kPrefix.size());
  if (std::ranges::find(kFamilies, family) == kFamilies.end()) {
    return {};
  }
  return std::string(first_argument == "char" ? "std::" : "std::w") + std::string(family);
}

// Versioning namespaces, invisible in source code. Returns what to skip at the front of `text`.
std::size_t inline_namespace_bytes(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kNames = {
      "__cxx11::", "__1::", "__ndk1::", "__8::", "_V2::", "__cxx1998::"};
  for (const std::string_view name : kNames) {
    if (text.starts_with(name)) {
      return name.size();
    }
  }
  return 0;
}

std::string short_type(std::string_view text, int levels);

std::string short_arguments(std::string_view inside, int levels) {
  if (levels == 0) {
    return "<...>";
  }
  std::string text = "<";
  std::size_t shown = 0;
  const std::vector<std::string_view> arguments = split_arguments(inside);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (i > 0 && is_default_argument(arguments[i])) {
      continue;
    }
    const std::string argument = short_type(arguments[i], levels - 1);
    if (shown > 0 &&
        (shown == kMaxArguments || text.size() + argument.size() > kMaxArgumentBytes)) {
      text += ", ...";
      break;
    }
    text += shown++ > 0 ? ", " : "";
    text += argument.size() > kMaxArgumentBytes ? "..." : argument;
  }
  text += '>';
  return text;
}

// `{lambda(int)#1}` with its parameters shortened; other braces as they are.
std::string short_braces(std::string_view group) {
  constexpr std::string_view kLambda = "{lambda(";
  if (!group.starts_with(kLambda)) {
    return std::string(group);
  }
  const std::size_t open = kLambda.size() - 1;
  const std::size_t close = skip_group(group, open);
  std::string text(kLambda);
  if (close > open + 2 && close <= group.size()) {
    std::string separator;
    for (const std::string_view parameter :
         split_arguments(group.substr(open + 1, close - open - 2))) {
      text += separator + short_type(parameter, 1);
      separator = ", ";
    }
  }
  if (text.size() > 2 * kMaxArgumentBytes) {
    text = std::string(kLambda) + "...";
  }
  text += ')';
  text += group.substr(std::min(close, group.size()));
  return text;
}

// The qualified name that `text` ends with.
std::string_view last_name(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && (is_name_char(text[begin - 1]) || text[begin - 1] == ':')) {
    --begin;
  }
  return text.substr(begin);
}

// Appends the template arguments at text[at] to the name that `out` ends with; returns their end.
std::size_t append_arguments(std::string_view text, std::size_t at, int levels, std::string& out) {
  const std::size_t end = skip_group(text, at);
  const std::string_view inside = text.substr(at + 1, end - at - (text[end - 1] == '>' ? 2 : 1));
  const std::string_view name = last_name(out);
  const std::vector<std::string_view> arguments = split_arguments(inside);
  const std::string alias =
      arguments.empty() ? std::string() : character_alias(name, arguments.front());
  if (alias.empty()) {
    out += short_arguments(inside, levels);
  } else {
    out.replace(out.size() - name.size(), name.size(), alias);
  }
  return end;
}

// A type, constant or expression as it stands among template arguments or parameters.
std::string short_type(std::string_view text, int levels) {
  std::string out;
  std::size_t i = 0;
  while (i < text.size()) {
    const bool word_begins = i == 0 || !is_name_char(text[i - 1]);
    if (const std::size_t skip = word_begins ? inline_namespace_bytes(text.substr(i)) : 0;
        skip != 0) {
      i += skip;
    } else if (text[i] == '<' && !last_name(out).empty()) {
      i = append_arguments(text, i, levels, out);
    } else if (text[i] == '{') {
      const std::size_t end = skip_group(text, i);
      out += levels > 0 ? short_braces(text.substr(i, end - i)) : "{...}";
      i = end;
    } else if (text[i] == '(') {
      const std::size_t end = skip_group(text, i);
      const std::string_view group = text.substr(i, end - i);
      out += group == kAnonymous || group.size() <= 12 ? group : "(...)";
      i = end;
    } else if (text[i] == '[' && text.substr(i).starts_with("[abi:")) {
      i = skip_group(text, i);
    } else {
      out += text[i++];
    }
  }
  return out;
}

// Reads one declarator; see the head of this file.
class DeclaratorReader {
 public:
  explicit DeclaratorReader(std::string_view text) : text_(text) {}

  std::string read() {
    while (at_ < text_.size()) {
      step();
    }
    while (!name_.empty() && name_.back() == ' ') {
      name_.pop_back();
    }
    return std::move(name_);
  }

 private:
  void step() {
    const std::string_view rest = text_.substr(at_);
    const bool word_begins = at_ == 0 || !is_name_char(text_[at_ - 1]);
    if (rest.front() == 'o' && is_operator_word(text_, at_)) {
      read_operator();
    } else if (const std::size_t skip = word_begins ? inline_namespace_bytes(rest) : 0; skip != 0) {
      at_ += skip;
    } else if (rest.starts_with(kAnonymous)) {
      name_ += kAnonymous;
      at_ += kAnonymous.size();
    } else if (opens_group(rest.front())) {
      read_group();
    } else if (rest.starts_with("::")) {
      after_parameters_ = false;
      name_ += "::";
      at_ += 2;
    } else if (rest.front() == ' ') {
      read_space();
    } else {
      // Between parameters and `::` stand only references and qualifiers.
      if (!after_parameters_) {
        name_ += rest.front();
      }
      ++at_;
    }
  }

  bool component_is_empty() const { return name_.empty() || name_.ends_with("::"); }

  void read_group() {
    const char opener = text_[at_];
    const std::size_t end = skip_group(text_, at_);
    const std::string_view group = text_.substr(at_, end - at_);
    if (opener == '<' && component_is_empty()) {
      name_ += '<' + short_type(group.substr(1, group.size() - (group.back() == '>' ? 2 : 1)), 1) +
               '>';  // Rust: <T as Trait>
    } else if (opener == '<') {
      append_arguments(text_, at_, 1, name_);
    } else if (opener == '{') {
      name_ += short_braces(group);
    } else if (opener == '(' && name_.empty() && group.size() > 2 &&
               (group[1] == '*' || group[1] == '&') && group.back() == ')') {
      // The result is a pointer to a function: the name is inside. What follows are its parameters.
      text_ = group.substr(2, group.size() - 3);
      at_ = 0;
      return;
    } else if (opener == '(') {
      after_parameters_ = true;
    }
    at_ = end;  // [abi:...] and [clone ...] leave nothing
  }

  void read_space() {
    ++at_;
    const std::string_view rest = text_.substr(at_);
    for (const std::string_view word : {"const", "volatile", "&", "&&", "noexcept", "restrict"}) {
      const bool whole = rest.size() == word.size() ||
                         (rest.size() > word.size() && !is_name_char(rest[word.size()]));
      if (after_parameters_ && rest.starts_with(word) && whole) {
        at_ += word.size();
        return;
      }
    }
    if (rest.empty() || rest.front() == '[') {
      return;
    }
    name_.clear();  // it was (part of) the return type
    after_parameters_ = false;
  }

  void read_operator() {
    at_ += 8;
    const std::string_view rest = text_.substr(at_);
    if (const std::size_t bytes = operator_symbol_bytes(rest); bytes != 0) {
      const std::string_view symbol = rest.substr(0, bytes);
      at_ += bytes;
      // The call operator of a lambda says nothing that the lambda does not.
      if (symbol == "()" && name_.ends_with("}::")) {
        name_.resize(name_.size() - 2);
        skip_lambda_arguments();
        return;
      }
      name_ += "operator";
      name_ += symbol;
      // `operator<< <int>` has a space so that nobody reads three signs.
      if (text_.substr(at_).starts_with(" <")) {
        ++at_;
      }
      if (symbol == "\"\"") {
        read_literal_suffix();
      }
      return;
    }
    name_ += "operator";
    if (rest.starts_with(" ")) {  // a conversion, or new, delete, co_await
      std::size_t end = 0;
      while (end < rest.size() && (rest[end] != '(' || rest.substr(end).starts_with(kAnonymous))) {
        end = opens_group(rest[end]) ? skip_group(rest, end) : end + 1;
      }
      name_ += short_type(rest.substr(0, end), 1);
      at_ += end;
    }
  }

  void skip_lambda_arguments() {
    if (at_ < text_.size() && text_[at_] == '<') {
      at_ = skip_group(text_, at_);
    }
  }

  void read_literal_suffix() {
    if (at_ < text_.size() && text_[at_] == ' ') {
      name_ += text_[at_++];
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string name_;
  bool after_parameters_ = false;
};

bool is_rust_hash(std::string_view tail) {
  return tail.size() == 19 && tail.starts_with("::h") &&
         std::ranges::all_of(tail.substr(3), [](char c) {
           return std::isdigit(static_cast<unsigned char>(c)) != 0 || (c >= 'a' && c <= 'f');
         });
}

// What the demangler puts in front of names that stand for something about a function.
std::size_t prefix_bytes(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kPrefixes = {
      "non-virtual thunk to ",       "virtual thunk to ",
      "covariant return thunk to ",  "TLS init function for ",
      "TLS wrapper function for ",   "guard variable for ",
      "transaction clone for ",      "global constructors keyed to ",
      "global destructors keyed to "};
  for (const std::string_view prefix : kPrefixes) {
    if (text.starts_with(prefix)) {
      return prefix.size();
    }
  }
  return 0;
}

}  // namespace

std::string short_name(const std::string& demangled) {
  std::string_view text = demangled;
  const bool is_go = text.find(".(*") != std::string_view::npos;  // a method: sort.(*Slice).Less
  if (text.empty() || text.size() > kMaxInputBytes || text.front() == '[' || is_go) {
    return demangled;
  }
  if (text.size() > 19 && is_rust_hash(text.substr(text.size() - 19))) {
    text.remove_suffix(19);
  }
  const std::size_t prefix = prefix_bytes(text);
  const std::string name = DeclaratorReader(text.substr(prefix)).read();
  return name.empty() ? demangled : std::string(text.substr(0, prefix)) + name;
}

}  // namespace spyglass
