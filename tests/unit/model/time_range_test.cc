// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "analyzer/model/profile_builder.h"
#include "tests/support/call_script.h"

namespace {

using spyglass::Metrics;
using spyglass::Profile;
using spyglass::ProfileOptions;
using spyglass::tests::CallScript;
using spyglass::tests::function_named;

ProfileOptions between(double start_ns, double end_ns) {
  ProfileOptions options;
  options.range = spyglass::TimeRange{start_ns, end_ns};
  return options;
}

// main runs all the time; each interval of 100 calls `work` once, for 30, then 40, 50 ...
CallScript long_run() {
  CallScript script;
  script.enter("main");
  for (std::uint64_t i = 0; i < 5; ++i) {
    script.spend(10).call("work", 30 + 10 * i).spend(60 - 10 * i).snapshot();
  }
  return script;
}

TEST_CASE("a range between snapshots is exact", "[model]") {
  CallScript script = long_run();
  script.time_every("never", 1);  // no spans: the counters must do
  const Profile profile = script.profile(between(100, 300));
  CHECK(profile.range_start_ns == Approx(100));
  CHECK(profile.range_end_ns == Approx(300));
  CHECK(profile.range_note.find("rounded") == std::string::npos);
  const Metrics& main = function_named(profile, "main").metrics;
  CHECK(main.wall_total_ns == Approx(200));
  CHECK(main.wall_self_ns == Approx(200 - 40 - 50));
  CHECK(main.calls == 1);
  const Metrics& work = function_named(profile, "work").metrics;
  CHECK(work.calls == 2);
  CHECK(work.wall_total_ns == Approx(90));
  CHECK(work.min_ns <= 40);
  CHECK(work.max_ns >= 50);
  CHECK(work.max_ns < 60);
  CHECK(profile.threads.at(0).wall_ns == Approx(200));
  CHECK(profile.threads.at(0).recorded_ns == Approx(200));
  CHECK(profile.nodes.front().metrics.wall_total_ns == Approx(200));
}

TEST_CASE("a range is rounded to snapshots and says so", "[model]") {
  CallScript script = long_run();
  script.time_every("never", 1);
  const Profile profile = script.profile(between(130, 260));
  CHECK(profile.range_start_ns == Approx(100));
  CHECK(profile.range_end_ns == Approx(300));
  CHECK(profile.range_note.find("rounded to the snapshots") == 0);
  CHECK(function_named(profile, "work").metrics.calls == 2);

  const Profile inside = script.profile(between(110, 120));
  CHECK(inside.range_start_ns == Approx(100));
  CHECK(inside.range_end_ns == Approx(200));
}

TEST_CASE("recordings with every call are cut exactly", "[model]") {
  CallScript script = long_run();
  const Profile profile = script.profile(between(130, 230));
  CHECK(profile.range_start_ns == Approx(130));
  CHECK(profile.range_end_ns == Approx(230));
  CHECK(profile.range_note.find("exact") == 0);
  const Metrics& work = function_named(profile, "work").metrics;
  CHECK(work.calls == 2);
  CHECK(work.wall_total_ns == Approx(20 + 20));  // [130, 150) and [210, 230)
  const Metrics& main = function_named(profile, "main").metrics;
  CHECK(main.wall_total_ns == Approx(100));
  CHECK(main.wall_self_ns == Approx(60));
}

TEST_CASE("parts of a recording add up to the whole", "[model]") {
  for (const bool spans : {false, true}) {
    CAPTURE(spans);
    CallScript script;
    script.enter("main");
    for (int i = 0; i < 10; ++i) {
      script.enter("a").spend(13);
      script.thread(2).enter("b").spend(7).snapshot().wait(5).enter("c").spend(11).thread(1);
      script.snapshot().call("c", 3).leave();
      script.thread(2).leave().snapshot().leave().thread(1);
    }
    script.leave();
    if (!spans) {
      script.time_every("never", 1);
    }
    const Profile whole = script.profile();
    const auto end_ns = static_cast<double>(script.now_ns());
    for (const double cut : {13.0, 20.0, 101.0, 200.0}) {
      const Profile before = script.profile(between(0, cut));
      const Profile after = script.profile(between(before.range_end_ns, end_ns));
      CHECK(after.range_start_ns == Approx(before.range_end_ns));
      for (const auto& function : whole.functions) {
        double wall = 0;
        double self = 0;
        for (const Profile* part : {&before, &after}) {
          for (const auto& other : part->functions) {
            wall += other.name == function.name ? other.metrics.wall_total_ns : 0;
            self += other.name == function.name ? other.metrics.wall_self_ns : 0;
          }
        }
        CAPTURE(function.name, cut);
        CHECK(wall == Approx(function.metrics.wall_total_ns));
        CHECK(self == Approx(function.metrics.wall_self_ns));
      }
    }
  }
}

TEST_CASE("an empty range is an empty profile", "[model]") {
  CallScript script = long_run();
  const Profile profile = script.profile(between(10'000, 20'000));
  CHECK(profile.nodes.size() == 1);
  CHECK(profile.functions.empty());
  CHECK(profile.threads.empty());
}

}  // namespace
