// SPDX-License-Identifier: Apache-2.0
// What the profile of a program without hooks says: samples, operations, objects, events.
#include <catch2/catch.hpp>

#include "analyzer/model/profile.h"
#include "tests/support/call_script.h"
#include "tests/support/stack_script.h"

namespace spyglass {
namespace {

using format::EventKind;
using format::ObjectKind;
using tests::function_named;
using tests::node_at;
using tests::OperationName;
using tests::StackScript;

bool has_function(const Profile& profile, const std::string& name) {
  return std::any_of(profile.functions.begin(), profile.functions.end(),
                     [&](const Function& function) { return function.name == name; });
}

TEST_CASE("stacks: samples add up from the inside out, recursion once") {
  StackScript script;
  script.sample({"main", "work"}, 70).sample({"main", "work", "leaf"}, 20).sample({"main"}, 9);
  script.sample({"main", "rec", "rec", "rec"}, 5).sample({"main", "rec"}, 1);
  const Profile profile = script.profile();
  CHECK(profile.samples == 105);
  CHECK(profile.sampled_cpu);
  CHECK_FALSE(profile.timed_calls);
  CHECK(function_named(profile, "work").metrics.samples.self == 70);
  CHECK(function_named(profile, "work").metrics.samples.total == 90);
  CHECK(function_named(profile, "main").metrics.samples.total == 105);
  CHECK(function_named(profile, "rec").metrics.samples.self == 6);
  CHECK(function_named(profile, "rec").metrics.samples.total == 6);
  CHECK(function_named(profile, "leaf").metrics.cpu_self_ns == Approx(20e6));
  CHECK(node_at(profile, {"main", "work"}).metrics.cpu_total_ns == Approx(90e6));
  CHECK(profile.threads.at(0).samples == 105);
}

TEST_CASE("stacks: an instruction expands into what is inlined there") {
  StackScript script;
  script.sample({"main", "outer>middle>inner"}, 3).sample({"main", "outer"}, 2);
  script.operate({"main", "outer>middle", "deep"}, {"sleep"}, {.calls = 2, .each_ns = 500});
  const Profile profile = script.profile();
  CHECK(node_at(profile, {"main", "outer", "middle", "inner"}).metrics.samples.self == 3);
  CHECK(function_named(profile, "outer").metrics.samples.self == 2);
  CHECK(function_named(profile, "outer").metrics.samples.total == 5);
  // Frames last as long as the calls below them.
  for (const char* name : {"main", "outer", "middle", "deep", "sleep"}) {
    CHECK(function_named(profile, name).metrics.wall_total_ns == Approx(1000));
  }
  CHECK(function_named(profile, "middle").metrics.wall_self_ns == Approx(0));
  CHECK(function_named(profile, "sleep").metrics.wall_self_ns == Approx(1000));
  CHECK(function_named(profile, "sleep").kind == FunctionKind::kOperation);
  CHECK(function_named(profile, "sleep").metrics.calls == 2);
  CHECK(function_named(profile, "deep").metrics.calls == 0);
  CHECK(profile.clamped == 0);
}

TEST_CASE("stacks: what begins a thread and this tool's own code are not shown") {
  StackScript script;
  script.sample({"_start", "libc.so.6!__libc_start_main_impl", "libc.so.6!", "main", "work"}, 4);
  script.sample({"main", "libspyglass.so!read", "libc.so.6!__read"}, 2);
  script.sample({"libother.so!", "libc.so.6!__libc_start_main", "main", "stripped"}, 1);
  script.sample({"_start"}, 1);                     // there was nothing else
  script.sample({"main", "callback", "clone"}, 1);  // the program's own function
  script.sample({"main", "libspyglass.so!hook", "libspyglass.so!record"}, 3);  // not main's time
  const Profile profile = script.profile();
  CHECK(profile.samples == 12);
  CHECK(node_at(profile, {"main", "stripped"}).metrics.samples.self == 1);
  CHECK(node_at(profile, {"main", "work"}).metrics.samples.self == 4);
  CHECK(node_at(profile, {"main", "__read"}).metrics.samples.self == 2);
  CHECK(node_at(profile, {"main", "callback", "clone"}).metrics.samples.self == 1);
  CHECK(node_at(profile, {"main"}).metrics.samples.self == 0);
  CHECK(node_at(profile, {"main", "[recording by Spyglass]"}).metrics.samples.self == 3);
  CHECK(node_at(profile, {"_start"}).metrics.samples.self == 1);
  CHECK_FALSE(has_function(profile, "read"));
  CHECK_FALSE(has_function(profile, "record"));
  CHECK_FALSE(has_function(profile, "__libc_start_main_impl"));
}

TEST_CASE("stacks: code without names is one function for each module") {
  StackScript script;
  script.sample({"main", "libc.so.6!"}, 2).sample({"main", "work", "libc.so.6!"}, 3);
  script.sample({"[stack truncated]", "work"}, 4);
  const Profile profile = script.profile();
  CHECK(function_named(profile, "[libc.so.6]").metrics.samples.self == 5);
  CHECK(function_named(profile, "[libc.so.6]").kind == FunctionKind::kUnnamed);
  CHECK(node_at(profile, {"[stack truncated]", "work"}).metrics.samples.self == 4);
}

TEST_CASE("stacks: functions known by their place are told apart, but have no name") {
  StackScript script;
  script.sample({"libother.so!libother.so+0x10", "libc.so.6!__libc_start_main", "main"}, 2);
  script.sample({"libc.so.6!__clone3", "libc.so.6!libc.so.6+0x80", "work"}, 3);
  script.sample({"main", "libother.so!libother.so+0x20"}, 4);
  script.sample({"main", "libother.so!libother.so+0x30"}, 5);
  const Profile profile = script.profile();
  CHECK(node_at(profile, {"main"}).metrics.samples.total == 11);
  CHECK(node_at(profile, {"work"}).metrics.samples.self == 3);
  const Function& place = function_named(profile, "libother.so+0x20");
  CHECK(place.metrics.samples.self == 4);
  CHECK(place.kind == FunctionKind::kUnnamed);
}

TEST_CASE("stacks: hooked and sampled calls of a function stand at one place") {
  StackScript script;
  script.call({"hook:main"}, 1, 1000).call({"hook:main", "hook:work"}, 4, 200);
  script.sample({"_start", "main", "work", "helper"}, 3);
  script.operate({"hook:main", "hook:work", "helper"}, {"read", ObjectKind::kFile, "/tmp/x"},
                 {.calls = 2, .each_ns = 50, .off_cpu_ns = 60, .bytes = 10});
  const Profile profile = script.profile();
  CHECK(profile.timed_calls);
  CHECK_FALSE(profile.sampled_cpu);
  const Metrics& work = node_at(profile, {"main", "work"}).metrics;
  CHECK(work.calls == 4);
  CHECK(work.wall_total_ns == Approx(800));
  CHECK(work.wall_self_ns == Approx(700));
  CHECK(work.samples.total == 3);
  CHECK(work.bytes.total == 10);
  CHECK(node_at(profile, {"main", "work", "helper"}).metrics.wall_total_ns == Approx(100));
  CHECK(node_at(profile, {"main", "work", "helper", "read"}).metrics.cpu_self_ns == Approx(40));
  CHECK(profile.threads.at(0).recorded_ns == Approx(1000));
  CHECK(profile.threads.at(0).calls == 7);
}

TEST_CASE("stacks: uses of objects add up to their operation") {
  StackScript script;
  script.operate({"main"}, {"read", ObjectKind::kFile, "/tmp/a"},
                 {.calls = 3, .each_ns = 100, .off_cpu_ns = 250, .bytes = 300, .errors = 1});
  script.operate({"main"}, {"read", ObjectKind::kPipe, "pipe"}, {.calls = 2, .each_ns = 1000});
  script.operate({"main"}, {"read"}, {.calls = 1, .each_ns = 7});
  const Profile profile = script.profile();
  const Metrics& read = node_at(profile, {"main", "read"}).metrics;
  CHECK(read.calls == 6);
  CHECK(read.wall_total_ns == Approx(2307));
  CHECK(read.wall_self_ns == Approx(2307));
  CHECK(read.bytes.self == 300);
  REQUIRE(profile.uses.size() == 3);
  std::uint64_t calls = 0;
  for (const ObjectUse& use : profile.uses) {
    CHECK(profile.functions[profile.nodes[use.node].function].name == "read");
    calls += use.metrics.calls;
    if (use.object == ObjectUse::kNoObject) {
      CHECK(use.metrics.wall_total_ns == Approx(7));
      CHECK(use.metrics.histogram.count() == 1);
    } else if (profile.objects[use.object].kind == ObjectKind::kFile) {
      CHECK(profile.objects[use.object].name == "/tmp/a");
      CHECK(use.metrics.bytes.self == 300);
      CHECK(use.metrics.errors.self == 1);
      CHECK(use.metrics.max_ns == Approx(100));
    }
  }
  CHECK(calls == 6);
}

TEST_CASE("stacks: a thread's time is split") {
  StackScript script;
  script.sample({"main"}, 2000);
  script.operate({"main"}, {"nanosleep"},
                 {.calls = 1, .each_ns = 3'000'000'000, .off_cpu_ns = 2'999'000'000});
  script.operate({"main"}, {"read", ObjectKind::kPipe, "pipe"},
                 {.calls = 10, .each_ns = 100'000'000, .off_cpu_ns = 900'000'000});
  script.runnable(100'000'000);
  const ThreadInfo thread = script.profile().threads.at(0);
  CHECK(thread.cpu_ns == Approx(2e9));
  CHECK(thread.waiting_ns[static_cast<int>(format::OperationClass::kSleep)] == Approx(2.999e9));
  CHECK(thread.waiting_ns[static_cast<int>(format::OperationClass::kRead)] == Approx(0.9e9));
  CHECK(thread.runnable_ns == Approx(0.1e9));
  CHECK(thread.other_ns() == Approx(10e9 - 2e9 - 2.999e9 - 0.9e9 - 0.1e9));
}

TEST_CASE("stacks: a range takes the metrics and events inside") {
  StackScript script;
  script.at(1'000'000'000).sample({"main", "early"}, 5);
  script.at(2'000'000'000).sample({"main", "late"}, 7);
  const OperationName boom{"__cxa_throw", ObjectKind::kExceptionType, "St13runtime_error"};
  for (const std::uint64_t at : {500'000'000ULL, 1'500'000'000ULL}) {
    script.event({.start_ticks = at,
                  .duration_ticks = 1000,
                  .kind = EventKind::kException,
                  .node = script.node_of({"main"}, boom),
                  .text = ""});
  }
  CHECK(script.profile().samples == 12);
  ProfileOptions options;
  options.range = TimeRange{1e9, 2e9};
  const Profile profile = script.profile(options);
  CHECK(profile.samples == 7);
  REQUIRE(profile.exceptions.size() == 1);
  CHECK(profile.exceptions[0].count == 1);
}

TEST_CASE("stacks: events say who held a lock and how exceptions went") {
  StackScript script;
  const OperationName lock{"pthread_mutex_lock", ObjectKind::kLock, "g_lock"};
  const OperationName other{"pthread_mutex_lock", ObjectKind::kLock, "g_other"};
  const OperationName boom{"__cxa_throw", ObjectKind::kExceptionType, "St13runtime_error"};
  script.operate({"main", "take"}, lock, {.calls = 2, .each_ns = 400, .hold_ns = 900, .holds = 3});
  script.thread(2).thread(1);
  for (int i = 0; i < 2; ++i) {
    script.event({.start_ticks = 10,
                  .duration_ticks = 400,
                  .kind = EventKind::kContention,
                  .node = script.node_of({"main", "take"}, lock),
                  .other_node = script.node_of({"worker", "hog"}),
                  .other_thread = 2,
                  .value = 102,
                  .text = ""});
  }
  script.event({.start_ticks = 20,
                .kind = EventKind::kLockOrder,
                .node = script.node_of({"main", "take"}, other),
                .other_node = script.node_of({"main", "take"}, lock),
                .text = ""});
  script.operate({"main", "load"}, boom, {.calls = 3, .each_ns = 10});
  for (int i = 0; i < 3; ++i) {
    script.event({.start_ticks = 30,
                  .duration_ticks = 500,
                  .kind = EventKind::kException,
                  .node = script.node_of({"main", "load"}, boom),
                  .other_node = i == 2 ? 0 : script.node_of({"main"}),
                  .value = 2,
                  .text = i == 1 ? "bad key" : "bad value"});
  }
  script.event(
      {.start_ticks = 40,
       .kind = EventKind::kFatalSignal,
       .node = script.node_of({"main", "crash"}, {"fatal_signal", ObjectKind::kSignal, "SIGSEGV"}),
       .value = 0x10,
       .text = ""});
  const Profile profile = script.profile();
  const auto name_at = [&](std::uint32_t node) {
    return profile.functions[profile.nodes[node].function].name;
  };
  REQUIRE(profile.contention.size() == 1);
  CHECK(profile.objects[profile.contention[0].object].place == "g_lock");
  CHECK(profile.contention[0].waits == 2);
  CHECK(profile.contention[0].wait_ns == Approx(800));
  CHECK(profile.contention[0].holder_tid == 102);
  CHECK(name_at(profile.contention[0].holder_node) == "hog");
  REQUIRE(profile.lock_orders.size() == 1);
  CHECK(profile.objects[profile.lock_orders[0].taken].place == "g_other");
  REQUIRE(profile.exceptions.size() == 2);
  std::uint64_t escaped = 0;
  for (const ExceptionFlow& flow : profile.exceptions) {
    CHECK(profile.objects[flow.type].name == "std::runtime_error");
    CHECK(name_at(flow.node) == "__cxa_throw");
    escaped += flow.catch_node == 0 ? flow.count : 0;
    if (flow.catch_node != 0) {
      CHECK(name_at(flow.catch_node) == "main");
      CHECK(flow.count == 2);
      CHECK(flow.texts.size() == 2);
      CHECK(flow.frames == 4);
    }
  }
  CHECK(escaped == 1);
  REQUIRE(profile.fatal_signals.size() == 1);
  CHECK(profile.objects[profile.fatal_signals[0].object].name == "SIGSEGV");
  CHECK(profile.fatal_signals[0].address == 0x10);
  const auto use = std::find_if(profile.uses.begin(), profile.uses.end(),
                                [](const ObjectUse& u) { return u.holds != 0; });
  REQUIRE(use != profile.uses.end());
  CHECK(use->hold_ns == Approx(900));
}

}  // namespace
}  // namespace spyglass
