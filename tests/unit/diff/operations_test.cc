// SPDX-License-Identifier: Apache-2.0
// Comparisons of recordings without hooks: samples, waits, locks, I/O, exceptions.
#include <catch2/catch.hpp>
#include <sstream>

#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/profile_diff.h"
#include "tests/support/stack_script.h"

namespace spyglass {
namespace {

using format::ObjectKind;
using tests::OperationName;
using tests::StackScript;

const OperationName kLock{"pthread_mutex_lock", ObjectKind::kLock, "g_lock"};
const OperationName kRead{"read", ObjectKind::kFile, "/tmp/a"};
const OperationName kThrow{"__cxa_throw", ObjectKind::kExceptionType, "St13runtime_error"};

Profile made(std::uint64_t factor) {
  StackScript script;
  script.sample({"main", "hot"}, 1000 * factor).sample({"main", "cold"}, 100 + factor);
  script.operate({"main", "take"}, kLock,
                 {.calls = 5 * factor, .each_ns = 1000, .hold_ns = 70 * factor, .holds = 3});
  script.operate({"main", "load"}, kRead,
                 {.calls = 7, .each_ns = 100 * factor, .bytes = 10 * factor, .errors = factor});
  script.operate({"main", "parse"}, kThrow, {.calls = 2 * factor, .each_ns = 10});
  return script.profile();
}

bool opposite(const Change& a, const Change& b) { return a.base == b.now && a.now == b.base; }

void check_opposite(const std::vector<OperationRow>& a, const std::vector<OperationRow>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i].object == b[i].object);
    CHECK(a[i].function == b[i].function);
    CHECK(opposite(a[i].calls, b[i].calls));
    CHECK(opposite(a[i].wall_ns, b[i].wall_ns));
    CHECK(opposite(a[i].p99_ns, b[i].p99_ns));
    CHECK(opposite(a[i].bytes, b[i].bytes));
    CHECK(opposite(a[i].errors, b[i].errors));
    CHECK(opposite(a[i].hold_ns, b[i].hold_ns));
  }
}

TEST_CASE("operations: a recording does not differ from itself") {
  const Profile profile = made(3);
  const ProfileDiff diff = diff_profiles(profile, profile);
  CHECK(diff.empty());
  CHECK(diff.operations.empty());
}

TEST_CASE("operations: swapping the recordings turns every sign") {
  const Profile base = made(1);
  const Profile now = made(2);
  const ProfileDiff there = diff_profiles(base, now);
  const ProfileDiff back = diff_profiles(now, base);
  CHECK_FALSE(there.empty());
  CHECK(there.sampled);
  check_opposite(there.operations.waits, back.operations.waits);
  check_opposite(there.operations.locks, back.operations.locks);
  check_opposite(there.operations.io, back.operations.io);
  check_opposite(there.operations.exceptions, back.operations.exceptions);
  CHECK(there.operations.locks.at(0).hold_ns.delta() == Approx(70));
  CHECK(there.operations.lock_wait_ns.delta() == Approx(5000));
  CHECK(there.operations.bytes.delta() == Approx(10));
  CHECK(there.operations.thrown.delta() == Approx(2));
  CHECK(there.operations.waits.at(0).function == "take");
  for (std::size_t i = 0; i < there.functions.size(); ++i) {
    CHECK(sigmas(there.functions[i].self_samples) == -sigmas(back.functions[i].self_samples));
  }
}

TEST_CASE("operations: text calls functions by their short names, or all by the full ones") {
  const auto made_at = [](std::uint64_t nanoseconds) {
    StackScript script;
    script.operate({"main", "_Z4loadPKc"}, kRead, {.calls = 7, .each_ns = nanoseconds});
    return script.profile();
  };
  const Profile base = made_at(1000);
  const Profile now = made_at(9000);
  const ProfileDiff diff = diff_profiles(base, now);
  const auto text = [&](bool full_names) {
    std::ostringstream out;
    write_diff(out, TextStyle{.full_names = full_names}, diff, DiffView{.threshold = 0});
    return out.str();
  };
  CHECK(diff.operations.waits.at(0).function == "load(char const*)");
  CHECK(text(false).find("load(") == std::string::npos);
  CHECK(text(false).find("load  ") != std::string::npos);
  CHECK(text(true).find("load(char const*)") != std::string::npos);
}

TEST_CASE("operations: a change that samples make by chance fails no rule") {
  const Profile base = made(1);
  const Profile now = made(2);
  const ProfileDiff diff = diff_profiles(base, now);
  const auto fails = [&](const std::string& text) {
    const auto rule = parse_fail_rule(text);
    REQUIRE(rule);
    const auto outcome = apply_rule(*rule, diff);
    REQUIRE(outcome);
    return outcome->failed();
  };
  CHECK(fails("func(hot).self_samples>50%"));
  CHECK(fails("func(hot).self_cpu>50%"));
  CHECK_FALSE(fails("func(cold).self_samples>0"));  // 101 -> 102
  CHECK_FALSE(fails("func(cold).self_cpu>0ms"));
  CHECK(fails("lock_wait>1us"));
  CHECK(fails("wait>50%"));
  CHECK(fails("exceptions>1"));
  CHECK(fails("bytes>=10"));
  CHECK(fails("errors>0"));
  CHECK(fails("func(load).bytes>5"));
  CHECK_FALSE(fails("io<0ms"));
  CHECK_FALSE(parse_fail_rule("func(x).lock_wait>1ms"));
  CHECK_FALSE(parse_fail_rule("exceptions>1ms"));
}

TEST_CASE("operations: what a few samples hit on one side only is not new") {
  StackScript base;
  base.call({"hook:main"}, 1, 1000).sample({"main"}, 5);
  StackScript now;
  now.call({"hook:main"}, 1, 1000).sample({"main", "rare"}, 4).sample({"main", "often"}, 40);
  now.operate({"hook:main"}, {"sleep"}, {.calls = 1, .each_ns = 10});
  const Profile base_profile = base.profile();
  const Profile now_profile = now.profile();
  const ProfileDiff diff = diff_profiles(base_profile, now_profile);
  std::ostringstream json;
  write_diff_json(json, diff, {.threshold = 0}, {});
  const std::string text = json.str();
  const std::string functions = text.substr(text.find("\"functions\":["));
  const std::string added = text.substr(text.find("\"added\":["));
  CHECK(functions.find("rare") < functions.find("\"added\":["));
  CHECK(added.find("often") < added.find("\"vanished\":["));
  CHECK(added.find("\"name\":\"sleep\"") == std::string::npos);
}

TEST_CASE("operations: both views show what changed") {
  const Profile base = made(1);
  const Profile now = made(2);
  const ProfileDiff diff = diff_profiles(base, now);
  std::ostringstream text;
  write_diff(text, {}, diff, {});
  for (const char* part :
       {"hot", "σ", "lock g_lock", "file /tmp/a", "std::runtime_error", "take"}) {
    INFO(part);
    CHECK(text.str().find(part) != std::string::npos);
  }
  CHECK(text.str().find("cold") == std::string::npos);  // by chance
  std::ostringstream json;
  write_diff_json(json, diff, {.threshold = 0}, {});
  for (const char* part : {"\"waits\":[", "\"locks\":[", "\"io\":[", "\"exceptions\":[",
                           "\"sigmas\":", "\"hold_ns\":", "\"caught_in\":\"?\""}) {
    INFO(part);
    CHECK(json.str().find(part) != std::string::npos);
  }
}

}  // namespace
}  // namespace spyglass
