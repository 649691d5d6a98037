// SPDX-License-Identifier: Apache-2.0
#include "symbols/name_brackets.h"

#include <array>
#include <cctype>

namespace spyglass {
namespace {

char closer_of(char c) { return c == '<' ? '>' : c == '(' ? ')' : c == '{' ? '}' : ']'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

bool is_name_char(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' || c == '.' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_operator_word(std::string_view text, std::size_t at) {
  constexpr std::string_view kWord = "operator";
  return text.substr(at).starts_with(kWord) && (at == 0 || !is_name_char(text[at - 1])) &&
         (at + kWord.size() >= text.size() || !is_name_char(text[at + kWord.size()]));
}

std::size_t operator_symbol_bytes(std::string_view text) {
  static constexpr std::array<std::string_view, 43> kSymbols = {
      "->*", "<=>", "<<=", ">>=",  "()", "[]", "->", "<<", ">>", "<=", ">=",
      "==",  "!=",  "&&",  "||",   "++", "--", "+=", "-=", "*=", "/=", "%=",
      "^=",  "&=",  "|=",  "\"\"", "<",  ">",  "+",  "-",  "*",  "/",  "%",
      "^",   "&",   "|",   "~",    "!",  "=",  ",",  "?:", "?",  "@"};
  for (const std::string_view symbol : kSymbols) {
    if (text.starts_with(symbol)) {
      return symbol.size();
    }
  }
  return 0;
}

bool opens_group(char c) { return c == '<' || c == '(' || c == '{' || c == '['; }

std::size_t skip_group(std::string_view text, std::size_t at) {
  std::vector<char> expected;
  for (std::size_t i = at; i < text.size(); ++i) {
    const char c = text[i];
    if (c == 'o' && is_operator_word(text, i)) {
      i += 8;
      i += operator_symbol_bytes(text.substr(i)) - 1;
      continue;
    }
    if (opens_group(c)) {
      expected.push_back(closer_of(c));
    } else if (c == '>' && (expected.back() != '>' || (i > 0 && text[i - 1] == '-'))) {
      continue;  // a comparison or an arrow inside an expression
    } else if (c == ')' || c == '}' || c == ']' || c == '>') {
      // A '<' that was a comparison never closes: drop it with the group around it.
      while (!expected.empty() && expected.back() != c) {
        expected.pop_back();
      }
      if (!expected.empty()) {
        expected.pop_back();
      }
      if (expected.empty()) {
        return i + 1;
      }
    }
  }
  return text.size();
}

std::vector<std::string_view> split_arguments(std::string_view text) {
  std::vector<std::string_view> arguments;
  std::size_t begin = 0;
  std::size_t i = 0;
  while (i < text.size()) {
    if (text[i] == 'o' && is_operator_word(text, i)) {
      i += 8 + operator_symbol_bytes(text.substr(i + 8));
    } else if (opens_group(text[i])) {
      i = skip_group(text, i);
    } else if (text[i] == ',') {
      arguments.push_back(trimmed(text.substr(begin, i - begin)));
      begin = ++i;
    } else {
      ++i;
    }
  }
  if (const std::string_view last = trimmed(text.substr(begin)); !last.empty()) {
    arguments.push_back(last);
  }
  return arguments;
}

}  // namespace spyglass
