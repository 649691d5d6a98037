// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/drift.h"
#include "tests/unit/report/golden_text.h"
#include "tests/unit/report/profile_sketch.h"

namespace spyglass {
namespace {

using nlohmann::json;
using test::ProfileSketch;

const FunctionDiff* find(const ProfileDiff& diff, const std::string& name) {
  for (const FunctionDiff& function : diff.functions) {
    if (function.function().name == name) return &function;
  }
  return nullptr;
}

json diff_json(const Profile& base, const Profile& now) {
  std::ostringstream out;
  write_diff_json(out, diff_profiles(base, now), DiffView{.top = 0, .threshold = 0, .tree = true},
                  {});
  return json::parse(out.str());
}

Profile random_profile(std::mt19937& random) {
  ProfileSketch sketch;
  std::vector<std::string> paths = {"main"};
  sketch.call("main", 1, 1000);
  const auto nodes = static_cast<unsigned>(1 + random() % 60);
  for (unsigned i = 0; i < nodes; ++i) {
    const std::string path = paths[random() % paths.size()] + ";f" + std::to_string(random() % 12);
    const double self_ns = static_cast<double>(random() % 1'000'000) / 7;
    sketch.call(path, random() % 3000, self_ns);
    paths.push_back(path);
  }
  return sketch.build();
}

TEST_CASE("the text of a comparison", "[diff]") {
  const Profile base = test::small_sketch().build();
  ProfileSketch sketch = test::small_sketch();
  sketch.call("main;parse;lex", 25'000, 700'000).call("main;flush", 2, 30'000);
  Profile now = sketch.build();
  now.file = "app.2.sgz";
  const ProfileDiff diff = diff_profiles(base, now);
  std::ostringstream out;
  write_diff(out, {}, diff, {});
  write_diff(out, TextStyle{.color = true, .width = 100}, diff, DiffView{.tree = true});
  const ProfileDiff back = diff_profiles(now, base);
  write_diff(out, {}, back, DiffView{.key = DiffKey::kTotal, .top = 1});
  const auto rule = parse_fail_rule("func(l*).self_wall>10% and >1us");
  REQUIRE(rule);
  const auto outcome = apply_rule(*rule, diff);
  REQUIRE(outcome);
  write_outcomes(out, {}, {*outcome});
  test::check_golden("diff/golden/diff.txt", out.str());
}

TEST_CASE("a recording does not differ from itself", "[diff]") {
  std::mt19937 random(7);
  for (int i = 0; i < 20; ++i) {
    const Profile profile = random_profile(random);
    const ProfileDiff diff = diff_profiles(profile, profile);
    CHECK(diff.empty());
    std::ostringstream out;
    write_diff(out, {}, diff, DiffView{.threshold = 0});
    CHECK(out.str().ends_with("\nno difference\n"));
    const json report = diff_json(profile, profile);
    CHECK(report["equal"] == true);
    for (const char* part : {"functions", "added", "vanished", "paths"})
      CHECK(report[part].empty());
  }
}

// Every number that tells a change is its own opposite; all others swap sides or stay.
void check_opposite(const json& forth, const json& back) {
  REQUIRE(forth.type() == back.type());
  if (forth.is_object()) {
    REQUIRE(forth.size() == back.size());
    if (forth.contains("change")) {
      REQUIRE(forth["base"] == back["new"]);
      REQUIRE(forth["new"] == back["base"]);
      for (const char* key : {"change", "more_calls", "slower_calls"}) {
        if (!forth.contains(key)) continue;
        REQUIRE(forth[key].get<double>() == -back[key].get<double>());
      }
      return;
    }
    for (const auto& [key, value] : forth.items()) {
      if (key != "source") check_opposite(value, back[key]);
    }
  } else if (forth.is_array()) {
    REQUIRE(forth.size() == back.size());
    for (std::size_t i = 0; i < forth.size(); ++i) check_opposite(forth[i], back[i]);
  } else {
    REQUIRE(forth == back);
  }
}

TEST_CASE("swapping the recordings turns every sign and nothing else", "[diff]") {
  std::mt19937 random(11);
  for (int i = 0; i < 100; ++i) {
    const Profile a = random_profile(random);
    const Profile b = random_profile(random);
    json forth = diff_json(a, b);
    const json back = diff_json(b, a);
    std::swap(forth["base"], forth["new"]);
    std::swap(forth["added"], forth["vanished"]);
    check_opposite(forth, back);
  }
}

TEST_CASE("the split sums to the change and follows its formula", "[diff]") {
  std::mt19937 random(3);
  for (int i = 0; i < 1000; ++i) {
    const auto value = [&] { return static_cast<double>(random() % 100'000); };
    const Change calls{value(), value()};
    const Change time{calls.base * value(), calls.now * value()};
    const Split split = split_change(calls, time);
    CHECK(split.more_calls + split.slower_calls == Approx(time.delta()).margin(1e-3));
    const Split back = split_change({calls.now, calls.base}, {time.now, time.base});
    CHECK(split.more_calls == -back.more_calls);
    CHECK(split.slower_calls == -back.slower_calls);
  }
  const Split split = split_change({10, 20}, {100, 400});  // 10 each, then 20 each
  CHECK(split.more_calls == Approx(10 * 15));
  CHECK(split.slower_calls == Approx(15 * 10));
  CHECK(split_change({5, 5}, {100, 300}).slower_calls == 200);
  CHECK(split_change({5, 15}, {100, 300}).more_calls == 200);
  CHECK(split_change({0, 3}, {0, 300}).more_calls == 300);
  CHECK(split_change({3, 0}, {300, 0}).more_calls == -300);
  CHECK(split_change({0, 0}, {1, 4}).slower_calls == 3);
}

TEST_CASE("pids, addresses, thread order, paths and dates are no difference", "[diff]") {
  Profile base = test::small_sketch().build();
  Profile now = test::small_sketch().place("write", "/opt/lib/libio.so.2.1", "", 0).build();
  for (Function& function : now.functions) {
    if (function.module == "/build/app") function.module = "/other/place/app-v2";
    if (!function.file.empty()) function.file.insert(0, "/elsewhere");
    function.line += 5;
  }
  now.processes[0].record.executable = "/other/place/app-v2";
  now.processes[0].record.pid = 4711;
  now.threads[0].record.tid = 4711;
  now.session.start.unix_ns += 86'400'000'000'000;
  now.file = "other.sgz";
  std::swap(now.functions[0], now.functions[3]);
  for (TreeNode& node : now.nodes)
    node.function = node.function == 0 ? 3 : node.function == 3 ? 0 : node.function;
  CHECK(diff_profiles(base, now).empty());
}

TEST_CASE("a launcher in front of the program is no difference", "[diff]") {
  const Profile base = test::small_sketch().build();
  Profile now = base;
  now.processes[0].record.executable = "/usr/bin/setarch";
  CHECK(diff_profiles(base, now).empty());
  CHECK(diff_profiles(now, base).empty());
}

TEST_CASE("functions of one name are told apart by their source files", "[diff]") {
  ProfileSketch base_sketch;
  base_sketch.call("main", 1, 10).call("main;init", 1, 10).call("main;init#2", 5, 50);
  Profile base = base_sketch.build();
  base.functions[1].file = "/a/x.c";
  base.functions[2].file = "/a/y.c";
  base.functions[2].name = "init";
  Profile now = base;
  std::swap(now.functions[1], now.functions[2]);
  now.nodes[2].function = 2;
  now.nodes[3].function = 1;
  CHECK(diff_profiles(base, now).empty());
  CHECK(diff_profiles(base, now).functions.size() == 3);
}

TEST_CASE("new and vanished functions are apart", "[diff]") {
  const Profile base = ProfileSketch().call("main", 1, 10).call("main;old", 1, 5).build();
  const Profile now = ProfileSketch().call("main", 1, 10).call("main;fresh", 2, 8).build();
  const ProfileDiff diff = diff_profiles(base, now);
  REQUIRE(find(diff, "old") != nullptr);
  CHECK(find(diff, "old")->now == nullptr);
  CHECK(find(diff, "fresh")->base == nullptr);
  CHECK_FALSE(find(diff, "main")->drift);
  const json report = diff_json(base, now);
  CHECK(report["added"][0]["name"] == "fresh");
  CHECK(report["vanished"][0]["name"] == "old");
  CHECK(report["vanished"][0]["wall_ns"]["self"]["change"] == -5);
}

TEST_CASE("call paths are matched by the functions along them", "[diff]") {
  const Profile base = ProfileSketch().call("main;a;x", 5, 50).call("main;b;x", 5, 50).build();
  const Profile now = ProfileSketch().call("main;b;x", 5, 90).call("main;a;x", 5, 50).build();
  const ProfileDiff diff = diff_profiles(base, now);
  int changed = 0;
  for (const PathDiff& path : diff.paths) changed += path.depth > 0 && path.changed() ? 1 : 0;
  CHECK(changed == 3);  // main, b, b's x
  CHECK(find(diff, "x")->wall_self_ns.delta() == 40);
}

Histogram histogram(std::initializer_list<format::BucketCount> buckets) {
  Histogram made;
  made.buckets = buckets;
  return made;
}

TEST_CASE("drift: none, moderate, high, unknown", "[diff]") {
  const Histogram one = histogram({{10, 400}, {11, 400}, {12, 200}});
  CHECK(population_stability_index(one, one) == 0.0);
  CHECK(drift_level(population_stability_index(one, one)) == "none");
  const Histogram twice = histogram({{10, 800}, {11, 800}, {12, 400}});
  CHECK(*population_stability_index(one, twice) < 0.001);
  const Histogram moved = histogram({{10, 300}, {11, 350}, {12, 350}});
  const auto index = population_stability_index(one, moved);
  CHECK(drift_level(index) == "moderate");
  CHECK(*index == Approx(-0.1 * std::log(0.3 / 0.4) - 0.05 * std::log(0.35 / 0.4) +
                         0.15 * std::log(0.35 / 0.2))
                      .epsilon(0.02));
  const Histogram far = histogram({{30, 1000}});
  CHECK(drift_level(population_stability_index(one, far)) == "high");
  CHECK(std::isfinite(*population_stability_index(one, far)));
  CHECK_FALSE(population_stability_index(one, histogram({{10, 99}})));
  CHECK(drift_level(std::nullopt) == "unknown");
}

TEST_CASE("drift is symmetric, and rarely found where there is none", "[diff]") {
  std::mt19937 random(5);
  std::lognormal_distribution<double> durations(6, 0.8);
  for (const unsigned calls : {100U, 300U, 3000U}) {
    int alarms = 0;
    for (int i = 0; i < 200; ++i) {
      Histogram sides[2];
      for (Histogram& side : sides) {
        for (unsigned call = 0; call < calls; ++call) {
          side.add(histogram({{test::bucket_of(durations(random)), 1}}));
        }
      }
      const auto index = population_stability_index(sides[0], sides[1]);
      REQUIRE(index);
      CHECK(*index == *population_stability_index(sides[1], sides[0]));
      if (*index >= 0.1) ++alarms;
    }
    INFO(calls << " calls");
    CHECK(alarms <= 20);  // 5 % expected at most
  }
}

}  // namespace
}  // namespace spyglass
