// SPDX-License-Identifier: Apache-2.0
// Memory in text and JSON, and as a metric of the other views.
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/fail_rule.h"
#include "analyzer/diff/profile_diff.h"
#include "analyzer/report/heap_view.h"
#include "analyzer/report/report.h"
#include "tests/support/heap_script.h"

namespace spyglass {
namespace {

using nlohmann::json;
using tests::HeapScript;

HeapScript leaky(std::uint64_t bytes) {
  HeapScript script;
  script.call({"hook:main"}, 1, 1000);
  script.get(10, {"hook:main", "parse"}, 0x1000, bytes).get(20, {"hook:main", "load"}, 0x2000, 50);
  script.give(30, 0x2000);
  script.get(40, {"hook:main", "libc.so.6!setlocale"}, 0x3000, 16, "calloc");
  return script;
}

json json_of(const Profile& profile) {
  std::ostringstream out;
  write_json(out, profile, SortKey::kSelf, {});
  return json::parse(out.str());
}

std::string memory_text(const Profile& profile, const MemoryLimits& limits) {
  std::ostringstream out;
  write_memory(out, {}, profile, limits);
  return out.str();
}

TEST_CASE("heap report: JSON") {
  const json document = json_of(leaky(100).profile());
  const json& memory = document["memory"];
  CHECK(memory["mode"] == "full");
  CHECK(memory["exact"] == true);
  CHECK(memory["allocations"] == 3);
  CHECK(memory["allocated_bytes"] == 166);
  CHECK(memory["frees"] == 1);
  CHECK(memory["peak_bytes"] == 150);
  CHECK(memory["peak_at_ns"] == 20);
  CHECK(memory["leaked_bytes"] == 100);
  CHECK(memory["suppressed_bytes"] == 16);
  CHECK(memory["temporary"] == 1);
  CHECK(memory["timeline"].size() == 100);
  CHECK(memory["fragmentation"].is_null());
  REQUIRE(memory["stacks"].size() == 3);
  const json& parse = memory["stacks"][0];
  CHECK(parse["operation"] == "malloc");
  CHECK(parse["function"] == "parse");
  REQUIRE(parse["stack"].size() == 2);
  CHECK(document["functions"][parse["stack"][0].get<std::size_t>()]["name"] == "parse");
  CHECK(document["functions"][parse["stack"][1].get<std::size_t>()]["name"] == "main");
  CHECK(parse["suppressed"].is_null());
  CHECK(memory["stacks"][2]["suppressed"] == "^setlocale$");
  CHECK(memory["processes"][0]["leaked_bytes"] == 100);
  CHECK(memory["threads"][0]["tid"] == 101);
}

TEST_CASE("heap report: JSON without memory says null") {
  tests::StackScript script;
  script.sample({"main"}, 1);
  CHECK(json_of(script.profile())["memory"].is_null());
}

TEST_CASE("heap report: text") {
  const Profile profile = leaky(4096).profile();
  const std::string brief = memory_text(profile, {MemoryView::kSummary, 0, true, false});
  CHECK(brief.find("4.00 KiB") != std::string::npos);
  CHECK(brief.find("parse") != std::string::npos);
  const std::string leaks = memory_text(profile, {MemoryView::kLeaks, 0, false, false});
  CHECK(leaks.find("      parse  script.c:50\n      main  script.c:40\n") != std::string::npos);
  CHECK(leaks.find("still reachable by design: 16 bytes in 1 block (--all shows them)") !=
        std::string::npos);
  CHECK(leaks.find("setlocale") == std::string::npos);
  const std::string all = memory_text(profile, {MemoryView::kLeaks, 0, false, true});
  CHECK(all.find("setlocale") != std::string::npos);
  for (const MemoryView view :
       {MemoryView::kPeak, MemoryView::kTemporary, MemoryView::kChurn, MemoryView::kLifetime}) {
    CHECK(memory_text(profile, {view, 1, false, false}).find("   1. ") != std::string::npos);
  }
}

TEST_CASE("heap report: frames show the line of the call") {
  HeapScript script;
  script.get(10, {"main@7", "outer@11>inner@12"}, 0x1000, 4096);
  script.get(20, {"main@9", "outer@11>inner@12"}, 0x2000, 4096);
  script.get(30, {"main@8", "load"}, 0x3000, 16);
  const Profile profile = script.profile();
  const std::string leaks = memory_text(profile, {MemoryView::kLeaks, 0, false, false});
  CHECK(leaks.find("      inner  script.c:12\n      outer  script.c:11\n"
                   "      main  script.c:7,9\n") != std::string::npos);
  // Without the line of the call, where the function stands.
  CHECK(leaks.find("      load  script.c:40\n      main  script.c:8\n") != std::string::npos);
  const json stacks = json_of(profile)["memory"]["stacks"];
  CHECK(stacks[0]["lines"] == json::array({12, 11, nullptr}));
  CHECK(stacks[1]["lines"] == json::array({nullptr, 8}));
}

TEST_CASE("heap report: who asked in a stripped program is known by its place") {
  HeapScript script;
  script.get(10, {"script+0x10", "script+0x1234"}, 0x1000, 64);
  script.get(20, {"main", "script+0x1234"}, 0x2000, 32);
  const json stacks = json_of(script.profile())["memory"]["stacks"];
  CHECK(stacks[0]["function"] == "script+0x1234");
  CHECK(stacks[1]["function"] == "main");  // a name says more
  CHECK(memory_text(script.profile(), {}).find("malloc     script+0x1234") != std::string::npos);
}

TEST_CASE("heap report: times have no rows for memory, and memory is a metric") {
  const Profile profile = leaky(100).profile();
  std::ostringstream table;
  write_functions(table, {}, profile, SortKey::kSelf, 0);
  CHECK(table.str().find("malloc") == std::string::npos);
  CHECK(table.str().find("parse") == std::string::npos);
  std::ostringstream by_time;
  write_folded(by_time, profile, false);
  CHECK(by_time.str() == "main 1000\n");
  std::ostringstream by_leak;
  write_folded(by_leak, profile, false, Weight::kLeaked);
  CHECK(by_leak.str() == "main;parse;malloc 100\n");
  CHECK(parse_weight("allocated") == Weight::kAllocated);
  CHECK(total_of(profile.nodes.front().metrics, Weight::kPeak) == 150);
}

TEST_CASE("heap report: what grew") {
  const Profile base = leaky(1000).profile();
  const Profile now = leaky(3000).profile();
  CHECK(diff_profiles(base, base).empty());
  const ProfileDiff diff = diff_profiles(base, now);
  CHECK_FALSE(diff.empty());
  CHECK(diff.heap.allocated_bytes.delta() == 2000);
  CHECK(diff.heap.leaked_bytes.delta() == 2000);
  CHECK(diff.heap.allocations.delta() == 0);
  CHECK(diff.heap.functions.front().function == "parse");
  CHECK(diff.heap.functions.front().peak_bytes.delta() == 2000);
  CHECK(diff.heap.stacks.front().stack == std::vector<std::string>{"parse", "main"});
  const ProfileDiff back = diff_profiles(now, base);
  CHECK(back.heap.peak_bytes.delta() == -diff.heap.peak_bytes.delta());
  REQUIRE(back.heap.functions.size() == diff.heap.functions.size());
  for (std::size_t i = 0; i < back.heap.functions.size(); ++i) {
    CHECK(back.heap.functions[i].function == diff.heap.functions[i].function);
    CHECK(back.heap.functions[i].leaked_bytes.delta() ==
          -diff.heap.functions[i].leaked_bytes.delta());
  }
  const auto fails = [&](const char* text) {
    const auto rule = parse_fail_rule(text);
    REQUIRE(rule);
    const auto outcome = apply_rule(*rule, diff);
    REQUIRE(outcome);
    return outcome->failed();
  };
  CHECK(fails("total_peak>5%"));
  CHECK(fails("leaked>1000"));
  CHECK_FALSE(fails("leaked>2000"));
  CHECK(fails("func(parse*).allocated>10%"));
  CHECK_FALSE(fails("func(load).allocated>0"));
  CHECK_FALSE(parse_fail_rule("total_calls>1"));
  std::ostringstream out;
  write_diff_json(out, diff, {}, {});
  const json document = json::parse(out.str());
  CHECK(document["summary"]["leaked_bytes"]["change"] == 2000);
  CHECK(document["memory"]["functions"][0]["function"] == "parse");
  CHECK(document["memory"]["stacks"][0]["stack"][0] == "parse");
}

HeapScript sampled(std::uint64_t blocks) {
  HeapScript script;
  script.memory(format::MemoryMode::kSample, 1000);
  for (std::uint64_t i = 0; i < blocks; ++i) {
    script.get(10 + i, {"main", "parse"}, 0x1000 + 0x100 * i, 100);
  }
  return script;
}

TEST_CASE("heap report: a change of estimates within their error is no finding") {
  const Profile base = sampled(100).profile();
  const auto text_of = [](const ProfileDiff& diff) {
    std::ostringstream out;
    write_diff(out, {}, diff, {});
    return out.str();
  };
  const auto memory_of = [](const ProfileDiff& diff) {
    std::ostringstream out;
    write_diff_json(out, diff, {}, {});
    return json::parse(out.str());
  };
  // Of n samples, n^0.5 are chance; a little less, as larger blocks are taken more often.
  const Profile more = sampled(110).profile();
  const ProfileDiff small = diff_profiles(base, more);
  const HeapRow& row = small.heap.functions.front();
  CHECK(row.allocations.delta() == Approx(105.1).margin(1));
  CHECK(row.allocations.error() == Approx(std::sqrt(210 * 0.9048) / 0.0952).epsilon(0.01));
  CHECK(row.peak_bytes.error() == Approx(row.leaked_bytes.error()));
  CHECK_FALSE(row.significant());
  CHECK(text_of(small).find("within error") != std::string::npos);
  const json change = memory_of(small)["memory"]["functions"][0]["allocated_bytes"];
  CHECK(change["within_error"] == true);
  CHECK(change["error"].get<double>() > change["change"].get<double>());
  CHECK(memory_of(small)["summary"]["peak_bytes"]["within_error"] == true);
  const Profile twice = sampled(200).profile();
  const ProfileDiff large = diff_profiles(base, twice);
  CHECK(large.heap.functions.front().significant());
  CHECK(text_of(large).find("within error") == std::string::npos);
  CHECK(text_of(large).find(" ± ") != std::string::npos);
  // Where everything is recorded, any change counts.
  const Profile before = leaky(1000).profile();
  const Profile after = leaky(1010).profile();
  const ProfileDiff exact = diff_profiles(before, after);
  CHECK(exact.heap.functions.front().significant());
  CHECK(text_of(exact).find("±") == std::string::npos);
  CHECK(memory_of(exact)["memory"]["functions"][0]["allocated_bytes"]["error"] == 0);
}

}  // namespace
}  // namespace spyglass
