// SPDX-License-Identifier: Apache-2.0
// Batches of samples as the reader thread hands them over, and what gets into the recording.
#include "recorder/collector/sample_intake.h"

#include <catch2/catch.hpp>
#include <map>

#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "tests/unit/collector/fake_target.h"

namespace spyglass::collector {
namespace {

constexpr std::uint64_t kNsPerTick = std::uint64_t{1} << 59U;  // half a nanosecond each
constexpr std::uint64_t kIntervalNs = 100;

struct Intake {
  std::string path = "/tmp/spyglass-intake-" + std::to_string(::getpid());
  Arena arena = std::move(*Arena::create({}, {}));
  Recording recording{std::move(*SgzWriter::create(path, true, 1))};
  SampleTasks tasks;
  ProcessTable processes{arena, recording, tasks};
  SampleIntake intake{tasks, processes, recording, kNsPerTick, kIntervalNs};

  Intake() { recording.write_session({}); }
  ~Intake() { ::unlink(path.c_str()); }

  void take(SampleBatch batch, std::uint64_t now_ns) {
    batch.until_ns = now_ns;
    format::ClockSample now;
    now.monotonic_ns = now_ns;
    now.ticks = now_ns * 2;
    intake.take(std::move(batch), now);
  }
  RecordingTables finish(std::uint64_t now_ns) {
    intake.finish(now_ns * 2);
    recording.flush(now_ns * 2, true);
    recording.finish({}, {});
    Result<SgzReader> reader = SgzReader::open(path);
    REQUIRE(reader);
    return read_tables(*reader);
  }
};

TaskEvent task(std::uint64_t time_ns, TaskChange change, std::uint32_t pid, std::string text = {}) {
  return {time_ns, change, pid, pid, 1, std::move(text)};
}

SampleBatch one_program(std::uint64_t start_ns) {
  SampleBatch batch;
  batch.images = {{0, "/bin/first", {1, 2}}};
  batch.nodes = {{0, {0, 0x10}}, {1, {0, 0x20}}};
  batch.tasks = {task(start_ns, TaskChange::kExec, 10, "first"),
                 task(start_ns + 1, TaskChange::kExecutable, 10, "/bin/first")};
  batch.samples = {{start_ns + 100, 10, 10, 2, StackEnd::kWhole},
                   {start_ns + 200, 10, 10, 2, StackEnd::kWhole},
                   {start_ns + 300, 10, 11, 1, StackEnd::kNoRule}};
  return batch;
}

TEST_CASE("sample intake: a program without the library gets a process, threads and an end") {
  Intake fixture;
  SampleBatch batch = one_program(1000);
  batch.tasks.push_back(task(2000, TaskChange::kExit, 10));
  batch.tasks.push_back(task(2000, TaskChange::kEnd, 10));
  fixture.processes.remember_end(10, {format::ExitKind::kExited, 3, 4000});
  fixture.take(std::move(batch), 5000);
  CHECK(fixture.intake.samples() == 3);
  const RecordingTables tables = fixture.finish(6000);
  REQUIRE(tables.processes.size() == 1);
  CHECK(tables.processes.at(1).executable == "/bin/first");
  CHECK(tables.processes.at(1).start_ticks == 2000);
  CHECK(tables.processes.at(1).end_ticks == 4000);
  CHECK(tables.processes.at(1).exit == format::ExitKind::kExited);
  CHECK(tables.processes.at(1).exit_value == 3);
  REQUIRE(tables.threads.size() == 2);
  CHECK(tables.threads.at(1).cpu_ns == 2 * kIntervalNs);
  CHECK(tables.threads.at(1).exit_ticks == 4000);
}

TEST_CASE("sample intake: a sampled thread has no more CPU time than it lived") {
  Intake fixture;
  SampleBatch batch = one_program(1000);
  batch.samples.clear();
  for (const std::uint64_t time_ns : {1400U, 1500U, 1600U, 1700U}) {
    batch.samples.push_back({time_ns, 10, 11, 1, StackEnd::kWhole});
  }
  const bool late = GENERATE(false, true);  // so that four intervals do not fit in
  if (late) {
    batch.samples[1].time_ns = batch.samples[0].time_ns = 1600;
  }
  batch.tasks.push_back(task(1719, TaskChange::kExit, 11));
  batch.tasks.back().pid = 10;
  batch.tasks.push_back(task(2000, TaskChange::kEnd, 10));
  fixture.take(std::move(batch), 5000);
  const RecordingTables tables = fixture.finish(6000);
  REQUIRE(tables.threads.size() == 1);
  const format::ThreadRecord& thread = tables.threads.begin()->second;
  CHECK(thread.exit_ticks == 2 * 1719);
  CHECK(thread.birth_ticks == (late ? 2 * 1500 : 2 * 1300));
  CHECK(thread.cpu_ns == (late ? 219 : 4 * kIntervalNs));
}

TEST_CASE("sample intake: a program that may still join waits, and is one process when it did") {
  Intake fixture;
  fixture.take(one_program(1000), 2000);
  CHECK(fixture.intake.samples() == 0);
  const std::uint32_t id = fixture.tasks.join(10, 2 * 2100, false, "/bin/first");
  fixture.take({}, 3000);
  CHECK(fixture.intake.samples() == 3);
  const RecordingTables tables = fixture.finish(6000);
  CHECK(tables.processes.empty());  // the process table tells of it
  REQUIRE(tables.threads.size() == 2);
  CHECK(tables.threads.at(1).process == id);
  CHECK(fixture.intake.take_coverage().empty());
}

TEST_CASE("sample intake: programs that never joined are named with a reason, the first is not") {
  Intake fixture;
  SampleBatch batch = one_program(1000);
  for (const std::uint32_t pid : {20U, 30U}) {
    batch.tasks.push_back(task(2000, TaskChange::kFork, pid));
    batch.tasks.push_back(task(2100, TaskChange::kExec, pid, "other"));
    batch.tasks.push_back(task(2200, TaskChange::kExecutable, pid, "/nonexistent/other"));
    if (pid == 30) {
      batch.tasks.push_back(task(2250, TaskChange::kLibrary, pid));
    }
    batch.tasks.push_back(task(2300, TaskChange::kExit, pid));
    batch.tasks.push_back(task(2300, TaskChange::kEnd, pid));
  }
  fixture.take(std::move(batch), 5000);
  CHECK(fixture.intake.take_coverage().empty());  // one of them may yet join
  fixture.finish(6000);
  const auto coverage = fixture.intake.take_coverage();
  REQUIRE(coverage.size() == 2);
  std::string reasons;  // at the end they come in no order
  for (const auto& [subject, reason] : coverage) {
    CHECK(subject == "/nonexistent/other");
    reasons += reason + "\n";
  }
  CHECK(reasons.find("environment") != std::string::npos);
  CHECK(reasons.find("before it joined") != std::string::npos);
  CHECK(fixture.intake.take_coverage().empty());
}

TEST_CASE("sample intake: a forked child that was gone before anybody looked is one process") {
  constexpr std::uint32_t kGonePid = 99'999'999;  // more than Linux gives
  const auto self = static_cast<std::uint32_t>(::getpid());
  Intake fixture;
  NewImage image;
  image.outer_pid = self;
  image.ticks = 2200;
  REQUIRE(fixture.arena.claim_process(image.slot));
  fixture.arena.process(image.slot).pid = self;
  fixture.processes.add_image(image);
  std::uint32_t slot = 0;
  REQUIRE(fixture.arena.claim_process(slot));
  format::ProcessSlot& child = fixture.arena.process(slot);
  child.parent_slot = image.slot + 1;
  child.pid = kGonePid;
  child.ppid = self;
  child.start_ticks = 3010;
  child.state.store(format::ProcessState::kLive);

  SampleBatch batch;
  batch.images = {{0, "/bin/first", {1, 2}}};
  batch.nodes = {{0, {0, 0x10}}};
  batch.tasks = {{1500, TaskChange::kFork, kGonePid, kGonePid, self, {}},
                 task(1900, TaskChange::kExit, kGonePid),
                 task(1900, TaskChange::kEnd, kGonePid)};
  batch.samples = {{1600, kGonePid, kGonePid, 1, StackEnd::kWhole}};
  const bool samples_first = GENERATE(true, false);
  if (samples_first) {
    fixture.take(std::move(batch), 2000);
  }
  const std::vector<ProcessEntry*> found =
      fixture.processes.find_forked(ProcessTable::Orphans::kNow, 0);
  REQUIRE(found.size() == 1);
  CHECK(found.front()->outer_pid == 0);
  if (!samples_first) {
    fixture.take(std::move(batch), 2000);
  }
  fixture.processes.end(*found.front(), {format::ExitKind::kUnknown, 0, 4000});
  const RecordingTables tables = fixture.finish(6000);
  CHECK(tables.processes.size() == 2);
  REQUIRE(tables.threads.size() == 1);
  CHECK(tables.threads.begin()->second.process == found.front()->record.id);
}

TEST_CASE("sample intake: damage in a batch stays there") {
  Intake fixture;
  SampleBatch batch;
  batch.nodes = {{77, {5, 0x10}}, {0, {kNoImage, 0x1234}}, {0, {kTruncatedImage, 0}}};
  batch.samples = {{100, 99, 99, 5000, StackEnd::kTooDeep}, {10'000'000, 98, 98, 2, {}}};
  batch.lost_records = 4;
  fixture.take(std::move(batch), 5000);
  const RecordingTables tables = fixture.finish(6000);
  CHECK(fixture.intake.samples() == 2);
  CHECK(tables.processes.size() == 2);
  CHECK(fixture.recording.losses().total(format::LossKind::kSamples) == 4);
  CHECK(fixture.recording.losses().total(format::LossKind::kTruncatedStacks) == 1);
}

}  // namespace
}  // namespace spyglass::collector
