// SPDX-License-Identifier: Apache-2.0
// Allocations from rings and nodes to the recording.
#include <catch2/catch.hpp>

#include "format/operation.h"
#include "tests/unit/collector/fake_target.h"

namespace spyglass::tests {
namespace {

using format::AllocationKind;
using format::AllocationRecord;
using format::Metric;
using format::RingKind;

constexpr std::uint64_t kMalloc =
    format::kOperationTag | static_cast<std::uint64_t>(format::Operation::k_malloc);

// As record_allocation() of the runtime writes it.
void push(FakeThread& thread, std::uint32_t cell, const AllocationRecord& record) {
  const std::uint64_t position = thread.lane().ring_head;
  thread.lane().ring_head += 2;
  thread.write(position + 1, record.address,
               FakeThread::word(RingKind::kContinuation, 0, record.bytes));
  thread.write(
      position, record.ticks,
      FakeThread::word(RingKind::kAllocation, cell, static_cast<std::uint64_t>(record.kind)));
}

std::uint64_t lost_allocations(const Recorded& told) {
  std::uint64_t count = 0;
  for (const format::LossRecord& loss : told.tables.losses) {
    count += loss.kind == format::LossKind::kAllocations ? loss.count : 0;
  }
  return count;
}

}  // namespace

TEST_CASE("collector: allocations come out whole, in order of time, across laps of the ring") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  const std::uint32_t cell = thread.add_node(format::kRootCell, kMalloc);
  session.turn();
  const std::uint64_t now = collector::now_ticks();
  constexpr std::uint64_t kCount = 1000;  // two records each into a ring of 256
  for (std::uint64_t i = 0; i < kCount; ++i) {
    // realloc() tells of the old block with a time from before what came in between
    const std::uint64_t ticks = i % 100 == 99 ? now + i - 2 : now + i;
    push(thread, cell, {ticks, AllocationKind::kAllocate, 0, 0x1000 + i * 16, i});
    if (i % 50 == 0) {
      session.turn(1);
    }
  }
  session.collector->finish(false);
  Recorded told = read_whole_recording(session.path);
  REQUIRE(told.allocations.size() == kCount);
  std::ranges::sort(told.allocations, {}, &AllocationRecord::address);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    CHECK(told.allocations[i].address == 0x1000 + i * 16);
    CHECK(told.allocations[i].bytes == i);
  }
  const auto& site = told.tables.sites.at(told.tables.nodes.at(told.allocations[0].node).site);
  CHECK(site.offset ==
        (format::kOperationSite | static_cast<std::uint64_t>(format::Operation::k_malloc)));
  CHECK(lost_allocations(told) == 0);
}

TEST_CASE("collector: an allocation waits until both of its records are there") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  const std::uint32_t cell = thread.add_node(format::kRootCell, kMalloc);
  const std::uint64_t now = collector::now_ticks();
  thread.lane().ring_head = 2;
  session.turn();
  thread.write(1, 0x1000, FakeThread::word(RingKind::kContinuation, 0, 8));
  session.turn();
  CHECK(thread.lane().ring_tail.load() == 0);
  thread.write(0, now, FakeThread::word(RingKind::kAllocation, cell, 1));
  session.turn();
  CHECK(thread.lane().ring_tail.load() == 2);
  session.collector->finish(false);
  const Recorded told = read_whole_recording(session.path);
  REQUIRE(told.allocations.size() == 1);
  CHECK(told.allocations[0].kind == AllocationKind::kFree);
}

TEST_CASE("collector: allocations that make no sense are counted, not believed") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  const std::uint32_t cell = thread.add_node(format::kRootCell, kMalloc);
  const std::uint64_t now = collector::now_ticks();
  push(thread, cell, {now, static_cast<AllocationKind>(77), 0, 1, 1});
  push(thread, 3'000'000, {now, AllocationKind::kAllocate, 0, 1, 1});
  push(thread, cell, {now + (std::uint64_t{1} << 50U), AllocationKind::kAllocate, 0, 1, 1});
  push(thread, cell, {now, AllocationKind::kAllocate, 0, 2, 3});
  session.collector->finish(false);
  const Recorded told = read_whole_recording(session.path);
  REQUIRE(told.allocations.size() == 1);
  CHECK(told.allocations[0].address == 2);
}

TEST_CASE("collector: counters of memory operations are metrics, and losses are told") {
  FakeSession session;
  session.arena().header().options.memory = format::MemoryMode::kFull;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  const std::uint32_t cell = thread.add_node(format::kRootCell, kMalloc);
  const auto counters = format::allocation_counters(*thread.node(cell));
  counters.allocations = 5;
  counters.allocated_bytes = 500;
  counters.frees = 3;
  counters.errors = 1;
  thread.lane().allocations_dropped = 7;
  session.turn();
  session.collector->finish(false);
  const Recorded told = read_whole_recording(session.path);
  const auto value = [&](Metric metric) {
    std::uint64_t sum = 0;
    for (const format::MetricRow& row : told.metrics) {
      sum += row.metric == metric ? row.value : 0;
    }
    return sum;
  };
  CHECK(value(Metric::kAllocations) == 5);
  CHECK(value(Metric::kAllocatedBytes) == 500);
  CHECK(value(Metric::kFrees) == 3);
  CHECK(value(Metric::kErrors) == 1);
  CHECK(value(Metric::kBytes) == 0);
  CHECK(lost_allocations(told) == 7);
}

TEST_CASE("collector: what a live process has in memory is looked at with each snapshot") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  session.turn();
  ::usleep(3000);  // the interval is 1 ms
  session.turn();
  session.collector->finish(false);
  const Recorded told = read_whole_recording(session.path);
  REQUIRE_FALSE(told.resident.empty());
  CHECK(told.resident[0].resident_bytes > 1U << 20U);  // of this test itself
  CHECK(told.tables.processes.contains(told.resident[0].process));
}

}  // namespace spyglass::tests
