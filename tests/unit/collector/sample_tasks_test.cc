// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_tasks.h"

#include <catch2/catch.hpp>

namespace spyglass::collector {
namespace {

TEST_CASE("sample tasks: a program that joins has one id, whoever comes first") {
  SampleTasks tasks;
  tasks.expect_records();
  SECTION("the library, then the kernel's records") {
    const std::uint32_t id = tasks.join(10, 105, false, "/bin/a");
    tasks.execed(10, 100, "a");
    tasks.resolve(*tasks.newest(10), 200);
    CHECK(tasks.newest(10)->process == id);
    CHECK(tasks.newest(10)->joined);
  }
  SECTION("the kernel's records, samples, then the library") {
    tasks.execed(10, 100, "a");
    tasks.newest(10)->executable = "/bin/a";
    tasks.newest(10)->process = tasks.new_process_id();
    CHECK(tasks.join(10, 105, false, "/bin/a") == tasks.newest(10)->process);
    CHECK(tasks.process_count() == 1);
  }
  SECTION("another program is another image, though its exec is not told yet") {
    tasks.execed(10, 100, "a");
    tasks.newest(10)->executable = "/bin/a";
    tasks.newest(10)->process = tasks.new_process_id();
    const std::uint32_t id = tasks.join(10, 155, false, "/bin/b");
    CHECK(id != tasks.newest(10)->process);
    tasks.execed(10, 150, "b");
    tasks.resolve(*tasks.newest(10), 200);
    CHECK(tasks.newest(10)->process == id);
    CHECK_FALSE(tasks.image_at(10, 120)->joined);
  }
}

TEST_CASE("sample tasks: a join belongs to the image of its time") {
  SampleTasks tasks;
  tasks.expect_records();
  tasks.forked(10, 9, 100);
  tasks.execed(10, 200, "script");
  tasks.execed(10, 300, "program");
  const std::uint32_t child = tasks.join(10, 110, true, "");
  const std::uint32_t program = tasks.join(10, 310, false, "/bin/program");
  for (const std::uint64_t ticks : {150, 250, 350}) {
    tasks.resolve(*tasks.image_at(10, ticks), 1000);
  }
  CHECK(tasks.image_at(10, 150)->process == child);
  CHECK_FALSE(tasks.image_at(10, 250)->joined);
  CHECK(tasks.image_at(10, 350)->process == program);
}

TEST_CASE("sample tasks: what joins later than the records reach is not resolved yet") {
  SampleTasks tasks;
  tasks.expect_records();
  tasks.execed(10, 100, "a");
  tasks.join(10, 205, false, "/bin/b");  // after an exec at 200 that is not told yet
  tasks.resolve(*tasks.newest(10), 150);
  CHECK_FALSE(tasks.newest(10)->joined);
}

TEST_CASE("sample tasks: a child is the one that was forked, though the clocks differ a little") {
  SampleTasks tasks;
  tasks.expect_records();
  const std::uint64_t forked = 10'000'000;
  SECTION("it joined, as it seems, before its fork") {
    const std::uint32_t id = tasks.join(10, forked - 1000, true, "");
    tasks.forked(10, 9, forked);
    tasks.resolve(*tasks.newest(10), forked + 1000);
    CHECK(tasks.newest(10)->process == id);
  }
  SECTION("the samples were first") {
    tasks.forked(10, 9, forked);
    tasks.newest(10)->process = tasks.new_process_id();
    CHECK(tasks.join(10, forked - 1000, true, "") == tasks.newest(10)->process);
  }
  SECTION("an earlier process had its number") {
    const std::uint32_t earlier = tasks.join(10, 1000, true, "");
    tasks.forked(10, 9, forked);
    tasks.resolve(*tasks.newest(10), forked + 1000);
    CHECK_FALSE(tasks.newest(10)->process == earlier);
  }
}

TEST_CASE("sample tasks: a process whose birth was not told is the one that joined") {
  SampleTasks tasks;
  tasks.expect_records();
  const bool forked = GENERATE(true, false);
  const std::uint32_t id = tasks.join(10, 100, forked, "");
  tasks.seen(10, 20'000'000);
  SECTION("its record was lost") {}
  SECTION("its record comes late") {
    if (forked) {
      tasks.forked(10, 9, 90);
      CHECK(tasks.newest(10)->start_ticks == 90);
      CHECK(tasks.newest(10)->parent_pid == 9);
    }
  }
  tasks.resolve(*tasks.newest(10), 30'000'000);
  CHECK(tasks.newest(10)->process == id);
}

TEST_CASE("sample tasks: threads with samples and with lanes are the same threads") {
  SampleTasks tasks;
  tasks.expect_records();
  bool added = false;
  const std::uint32_t sampled = tasks.thread_at(1, 10, 100, 0, added).id;
  CHECK(added);
  CHECK(tasks.lane_began(1, 10, 90) == sampled);
  const std::uint32_t with_lane = tasks.lane_began(1, 11, 90);
  CHECK(tasks.thread_at(1, 11, 100, 0, added).id == with_lane);
  CHECK_FALSE(added);
  CHECK(tasks.lane_began(2, 11, 90) != with_lane);  // another program in the process
  // The number is used again.
  tasks.lane_ended(1, 11, 500);
  CHECK(tasks.thread_at(1, 11, 400, 0, added).id == with_lane);
  // Its lane has ended, the thread has not.
  CHECK(tasks.thread_at(1, 11, 600, 0, added).id == with_lane);
  CHECK(tasks.thread_at(1, 11, 600, 620, added).id == with_lane);
  CHECK_FALSE(added);
  CHECK(tasks.thread_at(1, 11, 600, 550, added).id != with_lane);
  CHECK(added);
  tasks.forget_threads(1000);
  CHECK(tasks.thread_at(1, 11, 600, 550, added).id != with_lane);
}

TEST_CASE("sample tasks: a lane seen after the kernel told of its thread's end is that thread's") {
  SampleTasks tasks;
  tasks.expect_records();
  bool added = false;
  constexpr std::uint64_t kEnd = 100'000'000;
  const std::uint32_t first = tasks.thread_at(1, 10, kEnd / 2, 0, added).id;
  REQUIRE(tasks.end_thread(1, 10, kEnd) != nullptr);
  // The number is used again.
  const std::uint32_t second = tasks.thread_at(1, 10, 2 * kEnd, kEnd, added).id;
  REQUIRE(second != first);
  SECTION("of the first thread, then of the second") {
    CHECK(tasks.lane_began(1, 10, kEnd - 10) == first);
    tasks.lane_ended(1, 10, kEnd);
    CHECK(tasks.lane_began(1, 10, 2 * kEnd) == second);
  }
  SECTION("of the second") { CHECK(tasks.lane_began(1, 10, 2 * kEnd) == second); }
  CHECK(tasks.thread_count() == 2);
}

TEST_CASE("sample tasks: without records ids are only counted") {
  SampleTasks tasks;
  CHECK(tasks.join(10, 1, false, "/bin/a") == 1);
  CHECK(tasks.join(10, 2, true, "/bin/a") == 2);
  CHECK(tasks.lane_began(1, 10, 1) == 1);
  CHECK(tasks.lane_began(1, 10, 2) == 2);
}

}  // namespace
}  // namespace spyglass::collector
