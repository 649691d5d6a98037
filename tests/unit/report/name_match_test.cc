// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/name_match.h"

#include <catch2/catch.hpp>

#include "tests/unit/report/profile_sketch.h"

namespace spyglass {
namespace {

TEST_CASE("globs", "[report]") {
  CHECK(glob_match("parse*", "parse_value"));
  CHECK(glob_match("*", ""));
  CHECK(glob_match("a*b*c", "a--b--b-c"));
  CHECK_FALSE(glob_match("a*b", "a-b-"));
  CHECK(glob_match("f?", "fx"));
  CHECK_FALSE(glob_match("f?", "f"));
  CHECK(glob_match("operator[]", "operator[]"));
  CHECK(glob_match("*************************x", std::string(50'000, 'a') + "x"));
}

TEST_CASE("names are taken apart", "[report]") {
  struct Example {
    const char* full;
    const char* qualified;
    const char* bare;
    const char* scope;
  };
  const Example examples[] = {
      {"main", "main", "main", "(global)"},
      {"ns::parse(char const*, int)", "ns::parse", "parse", "ns"},
      {"void ns::Type<int>::run<a::b>(char*)", "ns::Type<int>::run<a::b>", "run<a::b>", "ns"},
      {"std::vector<int, std::allocator<int> >::push_back(int&&)",
       "std::vector<int, std::allocator<int> >::push_back", "push_back", "std"},
      {"ns::Type::operator()(int) const", "ns::Type::operator()", "operator()", "ns::Type"},
      {"std::ostream& std::operator<< <char>(std::ostream&, char)", "std::operator<< <char>",
       "operator<< <char>", "std"},
      {"operator new(unsigned long)", "operator new", "operator new", "(global)"},
      {"(anonymous namespace)::helper(int)", "(anonymous namespace)::helper", "helper",
       "(anonymous namespace)"},
      {"ns::Type::operator bool() const", "ns::Type::operator bool", "operator bool", "ns::Type"},
      {"core::fmt::write", "core::fmt::write", "write", "core::fmt"},
      {"<alloc::vec::Vec<T> as core::ops::Drop>::drop", "", "drop", "alloc::vec"},
      {"f(int) [clone .cold]", "f", "f", "(global)"},
      {"bool __gnu_cxx::operator!=<(anonymous namespace)::R*, x>(y const&)",
       "__gnu_cxx::operator!=<(anonymous namespace)::R*, x>",
       "operator!=<(anonymous namespace)::R*, x>", "__gnu_cxx"},
      {"ns::sort(int)::{lambda(int)#1}::operator()(int) const",
       "ns::sort(int)::{lambda(int)#1}::operator()", "operator()", "ns"},
      {"T::run() const::Local::go()", "T::run() const::Local::go", "go", "T"},
      {"", "", "", "(global)"}};
  for (const Example& example : examples) {
    INFO(example.full);
    if (*example.qualified != '\0') CHECK(qualified_name(example.full) == example.qualified);
    CHECK(bare_name(example.full) == example.bare);
    CHECK(scope_name(example.full) == example.scope);
  }
}

TEST_CASE("long function names lose arguments, then outer scopes", "[report]") {
  const std::string name = "outer::Map<a::b, c>::find(int)";
  CHECK(compact_name(name, 30) == name);
  CHECK(compact_name(name, 29) == "outer::Map<…>::find(…)");
  CHECK(compact_name(name, 21) == "…Map<…>::find(…)");
  CHECK(compact_name(name, 12) == "…find(…)");
  CHECK(compact_name(name, 7) == "find(…)");
  CHECK(compact_name(name, 4) == "fin…");
  CHECK(compact_name("plain_function", 6) == "plain…");
  CHECK(compact_name("(anonymous namespace)::helper", 10) == "…helper");
  CHECK(compact_name("std::operator<< <char>", 20) == "std::operator<< <…>");
  CHECK(compact_name(">>>:::<<<((", 4) == "…<…>");
  CHECK(compact_name("", 4).empty());
}

TEST_CASE("any text is taken apart without harm", "[report]") {
  for (const char* odd : {"((((", "))))", "::", "a::", "<<<", ">>>", " ", "operator", "operator(",
                          "a b c", "(x)", "x [clone ", "<", "<>::", "< as >::f"}) {
    INFO(odd);
    CHECK(qualified_name(odd).size() <= std::string_view(odd).size());
    CHECK(bare_name(odd).size() <= std::string_view(odd).size());
    CHECK(scope_name(odd).size() <= 20);
  }
}

TEST_CASE("a pattern means exact names before parts of names", "[report]") {
  test::ProfileSketch sketch;
  sketch.call("parse", 1, 1).call("parse_value", 1, 1).call("ns::parse(int)", 1, 1);
  const Profile profile = sketch.build();
  CHECK(find_functions(profile, "parse") == std::vector<std::uint32_t>{0, 2});
  CHECK(find_functions(profile, "pars") == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(find_functions(profile, "parse*") == std::vector<std::uint32_t>{0, 1, 2});
  CHECK(find_functions(profile, "ns::*") == std::vector<std::uint32_t>{2});
  CHECK(find_functions(profile, "nothing").empty());
  CHECK(find_functions(profile, "").empty());
}

}  // namespace
}  // namespace spyglass
