// SPDX-License-Identifier: Apache-2.0
// name_brackets.h - finding one's way in a demangled name: which < and > are brackets and which
// operators.
//
//   Errors   none: brackets that do not match end where the text ends.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace spyglass {

bool is_name_char(char c);

// Whether the word `operator` stands at `at`.
bool is_operator_word(std::string_view text, std::size_t at);

// Bytes of the operator symbol at the front of `text`, longest first; 0 if there is none.
std::size_t operator_symbol_bytes(std::string_view text);

bool opens_group(char c);

// The position after the bracket group that begins at `at`; the end of `text` if it never closes.
std::size_t skip_group(std::string_view text, std::size_t at);

// What stands between the commas at the top level, without spaces around.
std::vector<std::string_view> split_arguments(std::string_view text);

}  // namespace spyglass
