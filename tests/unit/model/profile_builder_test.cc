// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/profile_builder.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>
#include <random>

#include "tests/support/call_script.h"

namespace {

using spyglass::Function;
using spyglass::Metrics;
using spyglass::Profile;
using spyglass::ProfileOptions;
using spyglass::TimeRange;
using spyglass::TreeNode;
using spyglass::tests::CallScript;
using spyglass::tests::function_named;
using spyglass::tests::node_at;
using spyglass::tests::RecordingBuilder;
using spyglass::tests::Truth;
namespace format = spyglass::format;

void check_sums(const Profile& profile) {
  const double root_ns = profile.nodes.front().metrics.wall_total_ns;
  double of_nodes = 0;
  double cpu_of_nodes = 0;
  for (std::size_t i = 1; i < profile.nodes.size(); ++i) {
    const TreeNode& node = profile.nodes[i];
    of_nodes += node.metrics.wall_self_ns;
    cpu_of_nodes += node.metrics.cpu_self_ns;
    CHECK(node.parent < i);
    CHECK(node.depth == (i == 0 ? 0 : profile.nodes[node.parent].depth + 1));
    CHECK(node.metrics.wall_self_ns >= 0);
    CHECK(node.metrics.cpu_self_ns >= 0);
    CHECK(node.metrics.cpu_total_ns <= node.metrics.wall_total_ns * (1 + 1e-9));
  }
  double of_functions = 0;
  for (const Function& function : profile.functions) {
    of_functions += function.metrics.wall_self_ns;
    CHECK(function.metrics.wall_total_ns <= root_ns * (1 + 1e-9));
    CHECK(function.metrics.wall_self_ns <= function.metrics.wall_total_ns * (1 + 1e-9));
  }
  CHECK(of_nodes == Approx(root_ns).epsilon(1e-9));
  CHECK(of_functions == Approx(root_ns).epsilon(1e-9));
  CHECK(cpu_of_nodes == Approx(profile.nodes.front().metrics.cpu_total_ns).epsilon(1e-9));
  CHECK(profile.clamped == 0);
}

void check_truth(const Profile& profile, const CallScript& script) {
  for (const auto& [name, truth] : script.truth()) {
    CAPTURE(name);
    const Metrics& metrics = function_named(profile, name).metrics;
    CHECK(metrics.calls == truth.calls);
    CHECK(metrics.wall_self_ns == Approx(static_cast<double>(truth.self_ns)));
    CHECK(metrics.cpu_self_ns == Approx(static_cast<double>(truth.cpu_self_ns)));
    CHECK(metrics.wall_total_ns == Approx(static_cast<double>(truth.total_ns)));
    if (truth.durations_ns.empty()) {
      continue;
    }
    const auto [least, most] =
        std::minmax_element(truth.durations_ns.begin(), truth.durations_ns.end());
    CHECK(metrics.min_ns == Approx(static_cast<double>(*least)));
    CHECK(metrics.max_ns == Approx(static_cast<double>(*most)));
    const double sum = std::accumulate(truth.durations_ns.begin(), truth.durations_ns.end(), 0.0);
    CHECK(metrics.mean_ns() == Approx(sum / static_cast<double>(truth.durations_ns.size())));
    CHECK(metrics.histogram.count() == truth.durations_ns.size());
  }
}

TEST_CASE("a simple program", "[model]") {
  CallScript script;
  script.enter("main").spend(10).call("work", 30).call("work", 50).spend(5).leave();
  const Profile profile = script.profile();
  check_sums(profile);
  check_truth(profile, script);
  CHECK(profile.duration_ns == Approx(95));
  CHECK(profile.nodes.size() == 3);
  CHECK(node_at(profile, {"main", "work"}).metrics.wall_total_ns == Approx(80));
  CHECK(node_at(profile, {"main", "work"}).metrics.mean_ns() == Approx(40));
  REQUIRE(profile.threads.size() == 1);
  CHECK(profile.threads[0].recorded_ns == Approx(95));
  CHECK(profile.threads[0].calls == 3);
  CHECK(profile.processes.at(0).calls == 3);
  CHECK(profile.processes.at(0).threads == 1);
  const Function& work = function_named(profile, "work");
  CHECK(work.module == "/bin/script");
  CHECK(work.file == "script.c");
  CHECK(profile.damage.empty());
}

TEST_CASE("a recursive function's total counts outermost calls once", "[model]") {
  CallScript script;
  script.enter("main").enter("f").spend(1).enter("g").enter("f").spend(10).leave().leave();
  script.leave().call("f", 100).leave();
  const Profile profile = script.profile();
  check_sums(profile);
  check_truth(profile, script);
  CHECK(function_named(profile, "f").metrics.wall_total_ns == Approx(111));
  CHECK(function_named(profile, "f").inclusive_sum_ns == Approx(121));
}

TEST_CASE("off-CPU time is no CPU time", "[model]") {
  CallScript script;
  script.enter("main").spend(100).enter("sleep").spend(3).wait(1000).leave().wait(50).leave();
  const Profile profile = script.profile();
  check_sums(profile);
  check_truth(profile, script);
  const TreeNode& main = node_at(profile, {"main"});
  CHECK(main.metrics.cpu_self_ns == Approx(100));
  CHECK(main.metrics.cpu_total_ns == Approx(103));
  CHECK(main.metrics.wall_total_ns == Approx(1153));
}

TEST_CASE("calls open at the end count up to it", "[model]") {
  CallScript script;
  script.enter("main").spend(10).enter("loop").call("step", 5).spend(7).snapshot().spend(100);
  const Profile profile = script.profile();
  check_sums(profile);
  check_truth(profile, script);
  CHECK(node_at(profile, {"main"}).metrics.open_calls == 1);
  CHECK(node_at(profile, {"main"}).metrics.wall_total_ns == Approx(122));
  CHECK(node_at(profile, {"main"}).metrics.mean_ns() == 0);
  CHECK(profile.threads.at(0).recorded_ns == Approx(122));
}

TEST_CASE("without an end record the last snapshot tells what was open", "[model]") {
  CallScript script;
  script.enter("main").spend(10).enter("loop").snapshot().call("step", 5).spend(7);
  script.recorder_was_killed();
  const Profile profile = script.profile();
  CHECK_FALSE(profile.end);
  check_sums(profile);
  check_truth(profile, script);
}

TEST_CASE("what a thread waited in its last call is known from its CPU time", "[model]") {
  CallScript script;
  script.enter("main").spend(10).enter("poll").spend(5);
  RecordingBuilder built = script.recording();  // while nothing was lost yet: same nodes
  format::ThreadRecord thread;
  thread.id = 1;
  thread.process = 1;
  thread.birth_ticks = CallScript::kStartTicks;
  thread.exit_ticks = CallScript::kStartTicks + 1015;
  thread.cpu_ns = 15;
  thread.cpu_accuracy = format::CpuAccuracy::kExact;
  RecordingBuilder killed;
  format::SessionInfo session;
  session.start = {CallScript::kStartTicks, 1, 1};
  session.ns_per_tick_q60 = std::uint64_t{1} << 60U;
  killed.session(session).threads({thread}).sites({{1, 0, 0x10}, {2, 0, 0x20}});
  killed.nodes({{1, 0, 0}, {2, 1, 1}, {3, 2, 2}});
  const std::uint64_t end = thread.exit_ticks;
  killed.open_calls({{1, 2, CallScript::kStartTicks, end, false, true},
                     {1, 3, CallScript::kStartTicks + 10, end, false, true}});
  const auto profile = spyglass::build_profile_from_bytes(killed.bytes(), "x", {});
  REQUIRE(profile);
  check_sums(*profile);
  CHECK(function_named(*profile, "0x10").metrics.cpu_self_ns == Approx(10));
  CHECK(function_named(*profile, "0x20").metrics.cpu_self_ns == Approx(5));
}

TEST_CASE("inherited calls cost time but are nobody's second call", "[model]") {
  RecordingBuilder builder;
  format::SessionInfo session;
  session.start = {1000, 1, 1};
  session.ns_per_tick_q60 = std::uint64_t{1} << 60U;
  format::CounterRow parent;
  parent.thread = 1;
  parent.node = 2;
  parent.calls = 1;
  parent.wall_ticks = parent.min_ticks = parent.max_ticks = 100;
  parent.buckets = {{26, 1}};
  format::CounterRow returned;  // main returned in the child too
  returned.thread = 2;
  returned.node = 2;
  returned.wall_ticks = 40;
  builder.session(session).sites({{1, 0, 0x10}, {2, 0, 0x20}});
  builder.nodes({{1, 0, 0}, {2, 1, 1}, {3, 2, 2}}).counters({parent, returned}, 1000, 1100);
  builder.open_calls({{3, 2, 1050, 1100, true, true}, {3, 3, 1060, 1100, false, true}});
  const auto profile = spyglass::build_profile_from_bytes(builder.bytes(), "x", {});
  REQUIRE(profile);
  check_sums(*profile);
  const Metrics& main = function_named(*profile, "0x10").metrics;
  CHECK(main.calls == 1);
  CHECK(main.wall_total_ns == Approx(100 + 40 + 50));
  CHECK(main.wall_self_ns == Approx(100 + 40 + 10));
  CHECK(main.mean_ns() == Approx(100));
  CHECK(function_named(*profile, "0x20").metrics.calls == 1);
}

TEST_CASE("threads and processes merge into one tree", "[model]") {
  CallScript script;
  script.thread(1).enter("main").spend(10);
  script.thread(2).enter("worker").call("work", 20);
  script.thread(3).enter("worker").call("work", 30).leave();
  script.thread(2).leave();
  script.thread(1).call("work", 5).leave();
  script.spread_out();
  const Profile profile = script.profile();
  check_sums(profile);
  check_truth(profile, script);
  CHECK(node_at(profile, {"worker", "work"}).metrics.calls == 2);
  CHECK(profile.threads.size() == 3);
  CHECK(profile.processes.size() == 2);
  CHECK(profile.processes[0].threads + profile.processes[1].threads == 3);
  CHECK(profile.processes[0].calls + profile.processes[1].calls == 6);
}

TEST_CASE("folded recursion is not counted twice", "[model]") {
  for (const bool open : {false, true}) {
    CAPTURE(open);
    CallScript folded;
    CallScript whole;
    folded.fold_below(4);
    for (CallScript* script : {&folded, &whole}) {
      script->enter("main").spend(3);
      for (int i = 0; i < 20; ++i) {
        script->enter("f").spend(7).call("leaf", 2);
      }
      for (int i = 0; i < 21 && !open; ++i) {
        script->leave();
      }
    }
    const Profile profile = folded.profile();
    check_sums(profile);
    check_truth(profile, folded);
    CHECK(profile.nodes.size() < whole.profile().nodes.size());
    CHECK(profile.nodes.front().metrics.wall_total_ns == Approx(183));
  }
}

TEST_CASE("folded functions that call each other keep calls and selfs", "[model]") {
  for (const bool open : {false, true}) {
    CAPTURE(open);
    CallScript script;
    script.fold_below(4).enter("main").spend(3);
    for (int i = 0; i < 20; ++i) {
      script.enter(i % 3 == 0 ? "b" : "a").spend(7);
    }
    for (int i = 0; i < 21 && !open; ++i) {
      script.leave();
    }
    const Profile profile = script.profile();
    check_sums(profile);
    for (const auto& [name, truth] : script.truth()) {
      const Metrics& metrics = function_named(profile, name).metrics;
      CHECK(metrics.calls == truth.calls);
      CHECK(metrics.wall_self_ns == Approx(static_cast<double>(truth.self_ns)));
      CHECK(metrics.wall_total_ns >= static_cast<double>(truth.total_ns) - 1e-6);
    }
    CHECK(function_named(profile, "main").metrics.wall_total_ns == Approx(143));
    for (std::size_t i = 1; i < profile.nodes.size(); ++i) {
      const TreeNode& node = profile.nodes[i];
      CHECK(node.metrics.wall_total_ns <= profile.nodes[node.parent].metrics.wall_total_ns + 1e-6);
    }
  }
}

TEST_CASE("calls past the tree's bound keep their totals", "[model]") {
  CallScript script;
  script.fold_below(2).enter("main").enter("a").spend(1);
  script.enter("x").spend(10).call("y", 5).leave().call("y", 100).leave().spend(4).leave();
  const Profile profile = script.profile();
  check_sums(profile);
  check_truth(profile, script);
  const TreeNode& overflow = node_at(profile, {"[past the tree's bound]"});
  CHECK(overflow.metrics.wall_self_ns == 0);
  CHECK(overflow.metrics.wall_total_ns == Approx(120));
  CHECK(profile.nodes.front().metrics.wall_total_ns == Approx(120));
  CHECK(node_at(profile, {"main"}).metrics.wall_total_ns == Approx(120));
  CHECK(node_at(profile, {"main"}).metrics.cpu_total_ns == Approx(120));
  CHECK(node_at(profile, {"main", "a"}).metrics.wall_self_ns == Approx(1));
}

TEST_CASE("demoted calls are counted exactly and their time is estimated", "[model]") {
  CallScript script;
  script.enter("main").time_every("tiny", 16);
  std::mt19937 random(3);  // NOLINT
  for (int i = 0; i < 1600; ++i) {
    script.enter("tiny").spend(20 + random() % 5);
    script.call("inner", 2).leave();
    if (i % 400 == 0) {
      script.snapshot();
    }
  }
  script.spend(1000).leave();
  const Profile profile = script.profile();
  check_sums(profile);
  const Metrics& tiny = function_named(profile, "tiny").metrics;
  CHECK(tiny.calls == 1600);
  CHECK(tiny.untimed_calls == 1500);
  CHECK(tiny.wall_total_ns == Approx(1600 * 24).epsilon(0.03));
  CHECK(tiny.uncertainty_ns > 0);
  CHECK(tiny.uncertainty_ns < tiny.wall_total_ns * 0.05);
  CHECK(function_named(profile, "main").metrics.wall_total_ns ==
        Approx(static_cast<double>(script.truth().at("main").total_ns)));
  CHECK(profile.demoted == std::vector<std::string>{"tiny"});
}

TEST_CASE("estimates give way to what was measured", "[model]") {
  CallScript script;
  script.enter("main").time_every("f", 1000);
  script.call("f", 100);  // the timed one is the slowest
  for (int i = 0; i < 999; ++i) {
    script.call("f", 1);
  }
  script.leave();
  const Profile profile = script.profile();
  check_sums(profile);
  CHECK(function_named(profile, "main").metrics.wall_total_ns == Approx(1099));
  CHECK(function_named(profile, "f").metrics.wall_total_ns <= 1099);
}

TEST_CASE("order does not depend on which thread came first", "[model]") {
  CallScript one;
  one.thread(1).call("b", 1).call("a", 1).thread(2).call("c", 1);
  CallScript other;
  other.thread(2).call("c", 1).thread(1).call("b", 1).call("a", 1);
  const Profile first = one.profile();
  const Profile second = other.profile();
  REQUIRE(first.nodes.size() == second.nodes.size());
  for (std::size_t i = 0; i < first.functions.size(); ++i) {
    CHECK(first.functions[i].name == second.functions[i].name);
  }
  for (std::size_t i = 0; i < first.nodes.size(); ++i) {
    CHECK(first.nodes[i].function == second.nodes[i].function);
  }
}

// Random calls on three threads, with waits and recursion.
void run_at_random(CallScript& script, unsigned seed, bool snapshots) {
  std::mt19937 random(seed);
  const char* names[] = {"a", "b", "c", "d", "e"};
  std::size_t depths[4] = {};
  for (int i = 0; i < 3000; ++i) {
    const auto id = static_cast<std::uint32_t>(1 + random() % 3);
    script.thread(id);
    const auto dice = random() % 10;
    if (dice < 4 && depths[id] < 30) {
      script.enter(names[random() % 5]);
      ++depths[id];
    } else if (dice < 7 && depths[id] > 0) {
      script.leave();
      --depths[id];
    } else if (dice < 9) {
      script.spend(1 + random() % 300);
    } else if (snapshots && random() % 20 == 0) {
      script.snapshot();
    } else {
      script.wait(random() % 1000);
    }
  }
}

TEST_CASE("counters and spans tell the same, and the truth", "[model]") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    CAPTURE(seed);
    CallScript script;
    run_at_random(script, seed, true);
    const Profile counters = script.profile();
    ProfileOptions options;
    options.from_spans = true;
    const Profile spans = script.profile(options);
    check_sums(counters);
    check_truth(counters, script);
    check_sums(spans);
    check_truth(spans, script);
    for (const auto& [name, truth] : script.truth()) {
      std::vector<std::uint64_t> sorted = truth.durations_ns;
      std::sort(sorted.begin(), sorted.end());
      for (const double q : {0.5, 0.9, 0.99}) {
        const auto rank = static_cast<std::size_t>(
            std::max(1.0, std::ceil(q * static_cast<double>(sorted.size()))));
        const auto exact = static_cast<double>(sorted[rank - 1]);
        const Metrics& coarse = function_named(counters, name).metrics;
        const Metrics& fine = function_named(spans, name).metrics;
        CHECK(coarse.histogram.quantile_ns(q, coarse.min_ns, coarse.max_ns) ==
              Approx(exact).epsilon(0.091).margin(0.5));
        CHECK(fine.histogram.quantile_ns(q, fine.min_ns, fine.max_ns) ==
              Approx(exact).epsilon(0.0055).margin(0.5));
      }
    }
  }
}

TEST_CASE("folding changes no function's calls and selfs", "[model]") {
  for (unsigned seed = 1; seed <= 6; ++seed) {
    CallScript script;
    script.fold_below(6);
    run_at_random(script, seed, false);
    const Profile profile = script.profile();
    check_sums(profile);
    for (const auto& [name, truth] : script.truth()) {
      CHECK(function_named(profile, name).metrics.calls == truth.calls);
      CHECK(function_named(profile, name).metrics.wall_self_ns ==
            Approx(static_cast<double>(truth.self_ns)));
      CHECK(function_named(profile, name).metrics.wall_total_ns >=
            static_cast<double>(truth.total_ns) - 1e-6);
    }
  }
}

}  // namespace
