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
      {"", "", "", "(global)"}};
  for (const Example& example : examples) {
    INFO(example.full);
    if (*example.qualified != '\0') CHECK(qualified_name(example.full) == example.qualified);
    CHECK(bare_name(example.full) == example.bare);
    CHECK(scope_name(example.full) == example.scope);
  }
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
