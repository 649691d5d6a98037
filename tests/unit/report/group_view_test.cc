// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/group_view.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>

namespace spyglass {
namespace {

Result<std::vector<GroupRule>> read_text(const std::string& text) {
  const std::string path = "/tmp/spyglass_groups_" + std::to_string(getpid());
  std::ofstream(path) << text;
  auto rules = read_group_rules(path);
  std::remove(path.c_str());
  return rules;
}

TEST_CASE("group files", "[report]") {
  const auto rules =
      read_text("# groups\ninput: parse* lex\n\n  my io :  std::basic_* file=*/io.cc # x\n");
  REQUIRE(rules);
  REQUIRE(rules->size() == 2);
  CHECK((*rules)[0].name == "input");
  CHECK((*rules)[0].patterns == std::vector<std::string>{"parse*", "lex"});
  CHECK((*rules)[1].name == "my io");
  CHECK((*rules)[1].patterns == std::vector<std::string>{"std::basic_*", "file=*/io.cc"});
}

TEST_CASE("group files that make no sense", "[report]") {
  const auto missing = read_group_rules("/nonexistent/groups");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().what ==
        "cannot open group file '/nonexistent/groups': No such file or directory");
  const auto no_colon = read_text("a: b\nparse*\n");
  REQUIRE_FALSE(no_colon);
  CHECK(no_colon.error().what.find(":2: expected 'name: pattern ...'") != std::string::npos);
  CHECK_FALSE(read_text("name:\n"));
  CHECK_FALSE(read_text(": x\n"));
}

}  // namespace
}  // namespace spyglass
