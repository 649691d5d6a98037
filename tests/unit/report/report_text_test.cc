// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "analyzer/report/name_match.h"
#include "analyzer/report/report.h"
#include "analyzer/report/tree_view.h"
#include "tests/support/stack_script.h"
#include "tests/unit/report/golden_text.h"
#include "tests/unit/report/profile_sketch.h"

namespace spyglass {
namespace {

using test::check_golden;
using test::ProfileSketch;

template <typename Write>
std::string text_of(Write write) {
  std::ostringstream out;
  write(out);
  return out.str();
}

TEST_CASE("the summary says what was recorded, lost and not seen", "[report]") {
  ProfileSketch sketch = test::small_sketch();
  Profile profile = sketch.build();
  CHECK(text_of([&](auto& out) { write_summary(out, {}, profile); }).find("lost        nothing") !=
        std::string::npos);
  profile.losses = {{format::LossKind::kSpans, 1000, 1, "ring full"},
                    {format::LossKind::kSpans, 234, 2, "ring full"},
                    {format::LossKind::kRepairedFrames, 3, 1, "longjmp"}};
  profile.coverage = {{"/bin/static", "static binary, nothing can be recorded"}};
  profile.damage = {{4096, 100, "checksum differs"}};
  profile.processes[0].record.exit = format::ExitKind::kSignaled;
  profile.processes[0].record.exit_value = 11;
  profile.approximate_cpu = true;
  profile.demoted = {"lex"};
  profile.functions[2].metrics.untimed_calls = 100;
  profile.functions[2].metrics.uncertainty_ns = 1234;
  profile.range_note = "to the nearest snapshot";
  check_golden("report/golden/summary.txt", text_of([&](auto& out) {
                 write_summary(out, {}, profile);
                 write_functions(out, {}, profile, SortKey::kSelf, 0);
               }));
}

TEST_CASE("the function table", "[report]") {
  const Profile profile = test::small_sketch().build();
  check_golden("report/golden/functions.txt", text_of([&](auto& out) {
                 write_functions(out, {}, profile, SortKey::kSelf, 0);
                 write_functions(out, {}, profile, SortKey::kTotal, 2);
                 write_functions(out, TextStyle{.width = 100}, profile, SortKey::kName, 0);
                 write_functions(out, TextStyle{.color = true, .width = 80}, profile,
                                 SortKey::kCalls, 3);
               }));
}

TEST_CASE("a recursive function's total counts its outermost calls once", "[report]") {
  const Profile profile = test::small_sketch().build();
  const Function& parse = profile.functions[1];
  REQUIRE(parse.name == "parse");
  CHECK(parse.metrics.wall_total_ns == Approx(1'400'000));
  const TreeView view = call_tree_view(profile);
  REQUIRE(view.nodes.size() == 5);  // root, main, parse, lex, write
  CHECK(view.nodes[2].levels == 2);
  CHECK(view.nodes[2].calls == 1200);
  CHECK(view.nodes[2].wall_total_ns == Approx(1'400'000));
  CHECK(view.nodes[3].wall_total_ns == Approx(960'000));
}

TEST_CASE("tree, callers and callees", "[report]") {
  const Profile profile = test::small_sketch().build();
  check_golden("report/golden/trees.txt", text_of([&](auto& out) {
                 const TreeLimits all{0, 0};
                 write_tree(out, {}, profile, all);
                 write_tree(out, {}, profile, TreeLimits{0.30, 0});
                 write_tree(out, {}, profile, TreeLimits{0, 2});
                 write_callers(out, {}, profile, find_functions(profile, "lex").at(0), all);
                 write_callers(out, {}, profile, find_functions(profile, "parse").at(0), all);
                 write_callees(out, {}, profile, find_functions(profile, "parse").at(0), all);
               }));
}

TEST_CASE("threads and groups", "[report]") {
  const Profile profile = test::small_sketch().build();
  const std::vector<GroupRule> rules = {{"input", {"parse*", "lex"}}, {"io", {"module=libio*"}}};
  check_golden("report/golden/groups.txt", text_of([&](auto& out) {
                 write_threads(out, {}, profile, 0);
                 for (const char* by : {"module", "file", "namespace"}) {
                   write_groups(out, {}, profile, grouped(profile, by, {}), by, 0);
                 }
                 write_groups(out, {}, profile, grouped(profile, "groups.txt", rules), "group", 0);
                 write_groups_csv(out, grouped(profile, "groups.txt", rules));
                 write_threads_csv(out, profile);
               }));
}

TEST_CASE("CSV and folded stacks", "[report]") {
  ProfileSketch sketch = test::small_sketch();
  sketch.call("main;=cmd|'/C calc'!A0,x", 1, 5).place("=cmd|'/C calc'!A0,x", "/m", "a\"b.cc", 1);
  const Profile profile = sketch.build();
  check_golden("report/golden/functions.csv",
               text_of([&](auto& out) { write_functions_csv(out, profile, SortKey::kSelf, 0); }));
  check_golden("report/golden/stacks.folded",
               text_of([&](auto& out) { write_folded(out, profile, false); }));
}

TEST_CASE("nothing recorded gives advice, not an empty table", "[report]") {
  const Profile profile = ProfileSketch().build();
  const std::string text =
      text_of([&](auto& out) { write_functions(out, {}, profile, SortKey::kSelf, 0); });
  CHECK(text.find("-finstrument-functions") != std::string::npos);
  CHECK(text_of([&](auto& out) { write_tree(out, {}, profile, {}); }).find("call path") !=
        std::string::npos);
  CHECK(text_of([&](auto& out) { write_folded(out, profile, false); }).empty());
}

TEST_CASE("only memory recorded names the command that shows it", "[report]") {
  Profile profile = ProfileSketch().build();
  profile.session.memory = format::MemoryMode::kFull;
  profile.file = "my app.sgz";
  const std::string text =
      text_of([&](auto& out) { write_functions(out, {}, profile, SortKey::kSelf, 0); });
  CHECK(text ==
        "\nNo time of functions was recorded, only memory: spyglass analyze --memory "
        "'my app.sgz'\n");
}

TEST_CASE("functions known from samples alone claim no calls", "[report]") {
  tests::StackScript script;
  script.call({"hook:main"}, 1, 1000).sample({"hook:main", "helper"}, 5);
  const Profile profile = script.profile();
  const std::string text =
      text_of([&](auto& out) { write_functions(out, {}, profile, SortKey::kSelf, 0); });
  const std::size_t row = text.find("helper");
  REQUIRE(row != std::string::npos);
  const std::size_t begin = text.rfind('\n', row) + 1;
  std::istringstream cells(text.substr(begin, row - begin));
  std::vector<std::string> found;
  for (std::string cell; cells >> cell;) found.push_back(cell);
  CHECK(found == std::vector<std::string>{"-", "-", "-", "-", "-", "5", "-", "-", "-", "-", "-"});
}

TEST_CASE("hostile names reach no terminal and break no line", "[report]") {
  ProfileSketch sketch;
  const std::string evil = "x\x1b]0;pwned\x07\n\xE2\x80\xAE\xFFy|z";
  sketch.call("main", 1, 1e6).call("main;" + evil.substr(0, 3) + evil.substr(5), 1, 1e6);
  Profile profile = sketch.build();
  profile.session.command = {"a\x1b[2Jb\rc"};
  profile.threads[0].record.name = "\x1b[1mt\n";
  profile.coverage = {{"\x1b[3m", "\n\n"}};
  profile.session.host = "\xFF\n";
  const std::string text = text_of([&](auto& out) {
    const TextStyle style{.width = 100};
    write_summary(out, style, profile);
    write_functions(out, style, profile, SortKey::kSelf, 0);
    write_tree(out, style, profile, {});
    write_threads(out, style, profile, 0);
    write_callers(out, style, profile, 1, {});
    write_groups(out, style, profile, grouped(profile, "module", {}), "module", 0);
    write_folded(out, profile, true);
    write_functions_csv(out, profile, SortKey::kSelf, 0);
  });
  for (const char bad : {'\x1b', '\r', '\x07', '\xFF'}) CHECK(text.find(bad) == std::string::npos);
  CHECK(text.find("\xE2\x80\xAE") == std::string::npos);
}

// 10^6 levels: a recursion, and two functions that call each other.
TEST_CASE("a tree 10^6 deep stays a few lines", "[report]") {
  constexpr std::uint32_t kLevels = 1'000'000;
  const std::uint32_t period = GENERATE(1U, 2U);
  ProfileSketch sketch;
  sketch.call("main", 1, 10).call("main;even", 1, 10).call("odd", 1, 10);
  Profile profile = sketch.build();
  profile.nodes.resize(2);
  for (std::uint32_t i = 0; i < kLevels; ++i) {
    TreeNode node;
    node.parent = i + 1;
    node.depth = i + 2;
    node.function = 1 + i % period;
    node.metrics.calls = 1;
    node.metrics.wall_self_ns = 1;
    node.metrics.wall_total_ns = kLevels - i;
    profile.nodes.push_back(node);
  }
  profile.nodes[0].metrics.wall_total_ns = profile.nodes[1].metrics.wall_total_ns = kLevels;
  const std::string tree = text_of([&](auto& out) { write_tree(out, {}, profile, {}); });
  CHECK(std::count(tree.begin(), tree.end(), '\n') == 3 + period);
  CHECK(tree.find(period == 1 ? "1,000,000 levels" : "500,000 levels") != std::string::npos);
  CHECK(text_of([&](auto& out) { write_folded(out, profile, false); }).size() < 4U << 20U);
  CHECK(text_of([&](auto& out) { write_callers(out, {}, profile, 1, {}); }).size() < 4096);
  CHECK(text_of([&](auto& out) { write_callees(out, {}, profile, 1, {}); }).size() < 4096);
  CHECK(grouped(profile, "module", {}).size() == 1);
}

}  // namespace
}  // namespace spyglass
