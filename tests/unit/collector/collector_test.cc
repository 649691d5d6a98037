// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/collector.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <random>
#include <thread>

#include "tests/unit/collector/fake_target.h"

namespace spyglass {
namespace {

using collector::Summary;
using format::CounterRow;
using format::ExitKind;
using format::LossKind;
using tests::FakeSession;
using tests::FakeThread;
using tests::read_recording;
using tests::Recorded;

constexpr std::uint32_t kNoSuchThread = 0x3ffffff0;

std::uint32_t own_tid() { return static_cast<std::uint32_t>(::getpid()); }

// The name of this thread, for a while.
class OwnName {
 public:
  explicit OwnName(const char* name) {
    ::pthread_getname_np(::pthread_self(), before_, sizeof(before_));
    ::pthread_setname_np(::pthread_self(), name);
  }
  ~OwnName() { ::pthread_setname_np(::pthread_self(), before_); }
  OwnName(const OwnName&) = delete;
  OwnName& operator=(const OwnName&) = delete;

 private:
  char before_[16] = {};
};

CounterRow sum_of(const Recorded& recorded, std::uint64_t offset) {
  CounterRow sum;
  for (const CounterRow& row : recorded.rows) {
    const auto node = recorded.tables.nodes.at(row.node);
    if (node.site != 0 && recorded.tables.sites.at(node.site).offset == offset) {
      sum.calls += row.calls;
      sum.wall_ticks += row.wall_ticks;
      sum.untimed_calls += row.untimed_calls;
      for (const format::BucketCount& bucket : row.buckets) {
        sum.fold_in_calls += bucket.count;  // borrowed: all bucket counts
      }
    }
  }
  return sum;
}

std::uint64_t lost(const Recorded& recorded, LossKind kind, const std::string& reason) {
  std::uint64_t count = 0;
  for (const format::LossRecord& loss : recorded.tables.losses) {
    count += loss.kind == kind && loss.reason == reason ? loss.count : 0;
  }
  return count;
}

TEST_CASE("collector: counters, spans and open calls of a thread reach the file") {
  const OwnName name("renamed");
  FakeSession session;
  const std::uint32_t slot = session.add_process();
  const std::uint32_t module = session.add_module("/lib/fake.so", 0x10000, 7);
  FakeThread thread(session.arena(), 0, slot, own_tid());
  const std::uint32_t outer = thread.add_node(format::kRootCell, 0x10100, module);
  const std::uint32_t inner = thread.add_node(outer, 0x10200, module);
  const std::uint64_t now = collector::now_ticks();
  thread.open(outer, now);
  thread.count(inner, 50, 10);
  thread.count(inner, 70, 40);
  thread.span(inner, now, 70);
  session.turn();
  thread.count(inner, 60, 10);
  thread.span(inner, now + 100, 60);
  const Summary summary = session.collector->finish(false);

  CHECK(summary.complete);
  CHECK(summary.calls == 4);  // one of them still open
  CHECK(summary.spans == 2);
  const Recorded recorded = read_recording(session.path);
  CHECK_FALSE(recorded.damaged);
  CHECK(recorded.has_footer);
  REQUIRE(recorded.tables.processes.size() == 1);
  CHECK(recorded.tables.processes.at(1).executable == "/bin/fake");
  REQUIRE(recorded.tables.threads.size() == 1);
  CHECK(recorded.tables.threads.at(1).name == "renamed");  // the lane says "worker"
  REQUIRE(recorded.tables.modules.size() == 1);
  CHECK(recorded.tables.modules.at(1).path == "/lib/fake.so");
  const CounterRow sum = sum_of(recorded, 0x200);
  CHECK(sum.calls == 3);
  CHECK(sum.wall_ticks == 180);
  CHECK(sum.fold_in_calls == 3);
  REQUIRE(recorded.spans.size() == 2);
  CHECK(recorded.spans[0].second.duration_ticks == 70);
  REQUIRE(recorded.tables.open_at_end.size() == 1);
  CHECK(recorded.tables.open_at_end[0].start_ticks == now);
}

TEST_CASE("collector: what is pending for the histogram is counted once") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), own_tid());
  const std::uint32_t node = thread.add_node(format::kRootCell, 0x100);
  thread.node(node)->calls = 1;
  thread.lane().pending_duration = format::pending_of(node, 33);
  session.turn();
  thread.node(node)->calls = 2;
  thread.count(node, 5, 33);  // the pending one, counted by the next
  thread.node(node)->calls = 2;
  thread.lane().pending_duration = format::pending_of(node, 34);
  session.turn();
  session.collector->finish(false);
  const CounterRow sum = sum_of(read_recording(session.path), 0x100);
  CHECK(sum.calls == 2);
  CHECK(sum.fold_in_calls == 2);
}

// Stores as a hook does, for a reader on another thread.
template <typename Word>
void raise_by_one(Word& word) {
  __atomic_store_n(&word, word + 1, __ATOMIC_RELEASE);
}

TEST_CASE("collector: what is counted while it looks is counted once") {
  constexpr unsigned kNodes = 200;
  constexpr unsigned kBuckets = format::kBucketsPerGroup;  // each but once in each node
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), own_tid());
  std::vector<std::uint32_t> nodes;
  for (unsigned i = 0; i < kNodes; ++i) {
    nodes.push_back(thread.add_node(format::kRootCell, 0x100));
    thread.node(nodes.back())->histogram[0] = thread.lane().cells_used.fetch_add(1);
  }
  session.turn();
  std::atomic<bool> done = false;
  std::thread program([&] {
    for (unsigned call = 0; call < kNodes * kBuckets; ++call) {
      format::Lane& lane = thread.lane();
      const std::uint64_t last = lane.pending_duration;
      const std::uint32_t node = nodes[call % kNodes];
      raise_by_one(thread.node(node)->calls);
      __atomic_store_n(&lane.pending_duration, format::pending_of(node, call / kNodes),
                       __ATOMIC_RELEASE);
      if (format::pending_cell(last) != format::kRootCell) {
        const std::uint32_t group = thread.node(format::pending_cell(last))->histogram[0];
        auto* cell = reinterpret_cast<format::HistogramCell*>(
            const_cast<std::byte*>(session.arena().cell(0, group, 1)));
        raise_by_one(cell->count[format::pending_bucket(last)]);
      }
      const std::uint64_t start = collector::now_ticks();
      // The entry that a call used: a lane where none changes is not looked at.
      __atomic_store_n(&thread.entry(session.arena().geometry().stack_entries - 2).start_ticks,
                       start, __ATOMIC_RELEASE);
      while (collector::now_ticks() - start < 10'000) {  // about as long as a look at all nodes
      }
    }
    done = true;
  });
  while (!done) {
    session.collector->turn();
  }
  program.join();
  session.collector->finish(false);
  const CounterRow sum = sum_of(read_recording(session.path), 0x100);
  CHECK(sum.calls == kNodes * kBuckets);
  CHECK(sum.fold_in_calls == kNodes * kBuckets);
}

TEST_CASE("collector: excluded nodes leave their children to their parent") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), own_tid());
  const std::uint32_t outer = thread.add_node(format::kRootCell, 0x100);
  const std::uint32_t hidden = thread.add_node(outer, 0x200, 0, format::kNodeExcluded);
  const std::uint32_t inner = thread.add_node(hidden, 0x300);
  thread.count(inner, 5, 1);
  thread.node(hidden)->calls = 9;
  session.turn();
  session.collector->finish(false);
  const Recorded recorded = read_recording(session.path);
  CHECK(sum_of(recorded, 0x300).calls == 1);
  CHECK(recorded.tables.nodes.size() == 3);  // root, outer, inner
  CHECK(sum_of(recorded, 0x200).calls == 0);
}

TEST_CASE("collector: a thread that is gone gives its lane back; the next one is another thread") {
  FakeSession session;
  const std::uint32_t slot = session.add_process();
  for (int round = 0; round < 5; ++round) {
    FakeThread thread(session.arena(), 0, slot, kNoSuchThread);
    const std::uint32_t node = thread.add_node(format::kRootCell, 0x100);
    thread.node(node)->calls = 0;
    thread.node(node)->total_ticks = 0;
    std::fill(std::begin(thread.node(node)->histogram), std::end(thread.node(node)->histogram), 0U);
    thread.count(node, 10, 4);
    thread.span(node, collector::now_ticks(), 10);
    thread.lane().exit_ticks = collector::now_ticks();
    thread.lane().state.store(format::LaneState::kExiting);
    session.turn();
    CHECK(thread.lane().state.load() == format::LaneState::kFree);
    CHECK(session.arena().header().free_lanes.head.load() % 16 == 1);
    session.arena().header().free_lanes.head.store(0);
  }
  const Summary summary = session.collector->finish(false);
  CHECK(summary.threads == 5);
  const Recorded recorded = read_recording(session.path);
  CHECK(recorded.tables.threads.size() == 5);
  CHECK(recorded.spans.size() == 5);
  CHECK(sum_of(recorded, 0x100).calls == 5);
  CHECK(recorded.tables.threads.at(3).exit_ticks != 0);
}

TEST_CASE("collector: a thread's CPU time is as exact as its clock was to the end") {
  FakeSession session;
  const std::uint32_t slot = session.add_process();
  FakeThread thread(session.arena(), 0, slot, kNoSuchThread);
  thread.lane().cpu_clock = format::CpuClock::kExact;
  session.turn();
  thread.lane().cpu_clock = format::CpuClock::kApproximate;
  session.collector->finish(false);
  const Recorded recorded = read_recording(session.path);
  CHECK(recorded.tables.threads.at(1).cpu_accuracy == format::CpuAccuracy::kApproximate);
}

TEST_CASE("collector: the end of a process closes its lanes") {
  FakeSession session;
  const std::uint32_t slot = session.add_process(kNoSuchThread);
  FakeThread thread(session.arena(), 2, slot, 17);
  const std::uint32_t node = thread.add_node(format::kRootCell, 0x100);
  thread.open(node, collector::now_ticks());
  session.turn();
  session.collector->post_end({kNoSuchThread, SIGKILL});
  session.turn();
  session.collector->finish(false);
  const Recorded recorded = read_recording(session.path);
  CHECK(recorded.tables.processes.at(1).exit == ExitKind::kSignaled);
  CHECK(recorded.tables.processes.at(1).exit_value == SIGKILL);
  REQUIRE(recorded.tables.open_at_end.size() == 1);
  CHECK(recorded.tables.open_at_end[0].final);
}

TEST_CASE("collector: exec ends the image before") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), own_tid());
  thread.count(thread.add_node(format::kRootCell, 0x100), 10, 1);
  session.turn();
  FakeThread other(session.arena(), 1, session.add_process(), own_tid());
  session.turn();
  session.collector->finish(false);
  const Recorded recorded = read_recording(session.path);
  REQUIRE(recorded.tables.processes.size() == 2);
  CHECK(recorded.tables.processes.at(1).exit == ExitKind::kExeced);
  CHECK(recorded.tables.processes.at(2).parent == 1);
  CHECK(recorded.tables.processes.at(2).exit == ExitKind::kRunning);
}

TEST_CASE("collector: dropped oldest spans are counted exactly") {
  collector::CollectorOptions options;
  options.on_full = format::OnFull::kDropOldest;
  FakeSession session(options);
  FakeThread thread(session.arena(), 0, session.add_process(), own_tid());
  const std::uint32_t node = thread.add_node(format::kRootCell, 0x100);
  const std::uint64_t records = session.arena().geometry().ring_records;
  const std::uint64_t spans = 5 * records + 3;
  for (std::uint64_t number = 0; number < spans; ++number) {
    thread.span(node, collector::now_ticks(), number);
  }
  session.turn();
  session.collector->finish(false);
  const Recorded recorded = read_recording(session.path);
  CHECK(recorded.spans.size() == records);
  CHECK(recorded.spans.back().second.duration_ticks == spans - 1);
  CHECK(lost(recorded, LossKind::kSpans, "overwritten") == spans - records);
}

TEST_CASE("collector: long spans, also across the ring's end, and records never written") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(kNoSuchThread), 17);
  const std::uint32_t node = thread.add_node(format::kRootCell, 0x100);
  const std::uint64_t records = session.arena().geometry().ring_records;
  const std::uint64_t now = collector::now_ticks();
  for (std::uint64_t number = 0; number + 1 < records; ++number) {
    thread.span(node, now, 1);
  }
  session.turn();
  thread.span(node, now - format::kRingDurationMask, format::kRingDurationMask + 1);
  thread.lane().ring_head += 1;  // reserved, then the thread died
  thread.span(node, now, 2);
  session.turn();
  session.collector->post_end({kNoSuchThread, 0});
  session.turn();
  session.collector->finish(false);
  const Recorded recorded = read_recording(session.path);
  // The long one began before the session: it is refused, as is the record that was never written.
  CHECK(recorded.spans.size() == records);
  CHECK(lost(recorded, LossKind::kSpans, "damaged") == 2);
}

TEST_CASE("collector: block mode wakes the writer") {
  collector::CollectorOptions options;
  options.on_full = format::OnFull::kBlock;
  FakeSession session(options);
  FakeThread thread(session.arena(), 0, session.add_process(), own_tid());
  thread.span(thread.add_node(format::kRootCell, 0x100), collector::now_ticks(), 1);
  thread.lane().writer_waiting.store(1);
  session.turn();
  CHECK(thread.lane().drain_epoch.load() != 0);
  CHECK(thread.lane().ring_tail.load() == 1);
  session.collector->finish(false);
}

TEST_CASE("collector: survives a target that scribbles over the arena") {
  std::mt19937_64 random(Catch::rngSeed());
  for (int round = 0; round < 20; ++round) {
    collector::CollectorOptions options;
    options.on_full = static_cast<format::OnFull>(round % 3);
    options.max_overhead_percent = round % 2;
    if (round % 5 == 0) {
      options.exclude = {"x*"};
    }
    FakeSession session(options);
    const std::uint32_t slot = session.add_process();
    session.turn(1);
    const format::ArenaGeometry& geometry = session.arena().geometry();
    for (int blow = 0; blow < 4; ++blow) {
      for (std::uint32_t index = 0; index < 4; ++index) {
        FakeThread thread(session.arena(), index, slot, own_tid());
        auto* lane = reinterpret_cast<std::uint8_t*>(&thread.lane());
        auto* cells = reinterpret_cast<std::uint64_t*>(thread.node(2));
        auto* heap = reinterpret_cast<std::uint64_t*>(session.arena().heap().data());
        for (std::uint64_t word = 0; word < 2048; ++word) {
          cells[word] = random() >> (random() % 64);
          heap[word] = random() >> (random() % 64);
          session.arena().ring(index)[word % (2 * geometry.ring_records)] = random();
          thread.entry(geometry.stack_entries - 1 - word).node = random() >> (random() % 64);
        }
        thread.lane().ring_head = random() % 5 == 0 ? random() : random() % 1000;
        thread.lane().newest_node = static_cast<std::uint32_t>(random() % 3000);
        thread.lane().top += (random() % 100) * 8;
        if (blow > 1) {
          for (std::size_t byte = 0; byte < sizeof(format::Lane); ++byte) {
            lane[byte] = static_cast<std::uint8_t>(random());
          }
          thread.lane().process_slot = slot;
        }
        thread.lane().state.store(static_cast<format::LaneState>(random() % 5));
      }
      auto& process = session.arena().process(1);
      process.parent_slot = static_cast<std::uint32_t>(random() % 20);
      process.pid = static_cast<std::uint32_t>(random());
      process.newest_module.store(static_cast<std::uint32_t>(random() % 2000));
      process.state.store(format::ProcessState::kLive);
      session.arena().header().processes_used.store(static_cast<std::uint32_t>(random() % 40));
      session.arena().header().lanes_used.store(static_cast<std::uint32_t>(random() % 40));
      session.arena().header().free_processes.head.store(random());
      session.turn(2);
    }
    session.collector->finish(true);
    CHECK_FALSE(read_recording(session.path).damaged);
  }
}

}  // namespace
}  // namespace spyglass
