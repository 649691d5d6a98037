// SPDX-License-Identifier: Apache-2.0
// name_match.h - which functions a name or a glob typed by the user means.
//
// A pattern is compared with each form of a function's name: full, short, mangled, qualified
// without arguments ("ns::parse"), and bare ("parse"). `*` is any text, `?` any one character;
// nothing else is special, since C++ names are full of brackets.
//
//   Where    report, diff and tools.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

bool glob_match(std::string_view pattern, std::string_view text);
bool has_wildcard(std::string_view pattern);

// "void ns::Type<int>::run(char*)" -> "ns::Type<int>::run".
std::string_view qualified_name(std::string_view full_name);
// "ns::Type<int>::run" -> "run".
std::string_view bare_name(std::string_view full_name);
// The scope, up to the first template: "ns" of "ns::Type<int>::run", "(global)" if there is none.
std::string scope_name(std::string_view full_name);
// In at most `width` columns: first arguments go ("map<…>::at(…)"), then outer scopes ("…at(…)"),
// then the end. Requires: printable text.
std::string compact_name(std::string_view name, std::size_t width);
// "libm.so.6" of "/lib/x86_64-linux-gnu/libm.so.6"; "(unknown)" for none.
std::string_view module_name(std::string_view path);

// Any form of the name equals or, with wildcards, matches the pattern.
bool matches_name(std::string_view pattern, const Function& function);

// Indices of the functions that are meant, ascending: those whose name matches; when none does and
// the pattern has no wildcard, those whose name contains it.
std::vector<std::uint32_t> find_functions(const Profile& profile, std::string_view pattern);

}  // namespace spyglass
