// SPDX-License-Identifier: Apache-2.0
// What threads tell besides calls: events in rings, tagged nodes, metrics of nodes.
#include <catch2/catch.hpp>

#include "format/operation.h"
#include "tests/unit/collector/fake_target.h"

namespace spyglass::tests {
namespace {

using format::EventKind;
using format::Metric;
using format::RingKind;

// As push_event() of the runtime writes it.
void push_event(FakeThread& thread, EventKind kind, std::uint32_t cell, std::uint64_t start_ticks,
                const std::vector<std::uint64_t>& words) {
  const std::uint64_t position = thread.lane().ring_head;
  thread.lane().ring_head += words.size() + 1;
  for (std::size_t i = 0; i < words.size(); ++i) {
    thread.write(position + 1 + i, words[i], FakeThread::word(RingKind::kContinuation, cell, 0));
  }
  thread.write(position, start_ticks,
               FakeThread::word(RingKind::kEvent, cell,
                                words.size() << format::kEventContinuationsShift |
                                    static_cast<std::uint64_t>(kind)));
}

const format::SiteRecord& site_of(const Recorded& told, std::uint32_t node) {
  return told.tables.sites.at(told.tables.nodes.at(node).site);
}

}  // namespace

TEST_CASE("collector: events keep every part, across laps of the ring") {
  FakeSession session;
  const std::uint32_t slot = session.add_process();
  FakeThread waiter(session.arena(), 0, slot, 1);
  FakeThread holder(session.arena(), 1, slot, 2);
  const std::uint32_t lock = waiter.add_node(format::kRootCell, 0x1000 | format::kPcTag);
  const std::uint32_t held = holder.add_node(format::kRootCell, 0x2000 | format::kPcTag);
  session.turn();
  const std::uint64_t now = collector::now_ticks();
  constexpr int kEvents = 500;  // 4 records each into a ring of 256
  for (int i = 0; i < kEvents; ++i) {
    std::uint64_t text = 0;
    std::memcpy(&text, "thrown", 6);
    push_event(waiter, EventKind::kContention, lock, now,
               {7, std::uint64_t{1} << 32U | held, 2, text});
    session.turn(1);
  }
  session.collector->finish(false);
  const Recorded told = read_whole_recording(session.path);
  REQUIRE(told.events.size() == kEvents);
  const auto& [thread, event] = told.events.back();
  CHECK(told.tables.threads.at(thread).tid == 1);
  CHECK(event.kind == EventKind::kContention);
  CHECK(event.start_ticks == now);
  CHECK(event.duration_ticks == 7);
  CHECK(event.value == 2);  // the holder, as its lane says
  CHECK(event.text == "thrown");
  CHECK(site_of(told, event.node).offset == (0x1000 | format::kPcSite));
  CHECK(site_of(told, event.other_node).offset == (0x2000 | format::kPcSite));
  CHECK(told.tables.threads.at(event.other_thread).tid == 2);
}

TEST_CASE("collector: an event waits until its head, which comes last, is there") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  const std::uint32_t cell = thread.add_node(format::kRootCell, 0x1000);
  const std::uint64_t now = collector::now_ticks();
  thread.lane().ring_head = 3;
  session.turn();
  thread.write(1, 5, FakeThread::word(RingKind::kContinuation, cell, 0));
  thread.write(2, 6, FakeThread::word(RingKind::kContinuation, cell, 0));
  session.turn();
  CHECK(thread.lane().ring_tail.load() == 0);
  thread.write(0, now,
               FakeThread::word(RingKind::kEvent, cell,
                                2U << format::kEventContinuationsShift |
                                    static_cast<std::uint64_t>(EventKind::kFatalSignal)));
  session.turn();
  CHECK(thread.lane().ring_tail.load() == 3);
  session.collector->finish(false);
  CHECK(read_whole_recording(session.path).events.size() == 1);
}

TEST_CASE("collector: the last drain keeps events that lie across its batches") {
  FakeSession session({}, 1U << 18U);
  const std::uint32_t slot = session.add_process();
  FakeThread thread(session.arena(), 0, slot, 1);
  const std::uint32_t cell = thread.add_node(format::kRootCell, 0x1000);
  session.turn();
  thread.lane().ring_head = 1;  // reserved, never written: only the last drain passes over it
  constexpr std::size_t kEvents = 4000;
  for (std::size_t i = 0; i < kEvents; ++i) {
    push_event(thread, EventKind::kException, cell, collector::now_ticks(), {1, 0, 3});
  }
  session.turn();
  CHECK(thread.lane().ring_tail.load() == 0);
  session.collector->post_end({static_cast<std::uint32_t>(::getpid()), 0});
  session.turn();
  session.collector->finish(false);
  CHECK(read_whole_recording(session.path).events.size() == kEvents);
}

TEST_CASE("collector: operations and objects become sites of their own") {
  FakeSession session;
  const std::uint32_t slot = session.add_process();
  const std::uint32_t module = session.add_module("/lib/app", 0x10000, 1);
  const std::string name = "/etc/passwd";
  const std::uint64_t offset =
      session.arena().allocate_heap(sizeof(format::ObjectRecord) + name.size());
  auto* record = reinterpret_cast<format::ObjectRecord*>(session.arena().heap().data() + offset);
  record->kind = static_cast<std::uint32_t>(format::ObjectKind::kFile);
  record->name_bytes = static_cast<std::uint32_t>(name.size());
  std::memcpy(session.arena().heap().data() + offset + sizeof(*record), name.data(), name.size());

  FakeThread thread(session.arena(), 0, slot, 1);
  const std::uint32_t frame = thread.add_node(format::kRootCell, 0x10123 | format::kPcTag, module);
  const auto read = static_cast<std::uint64_t>(format::Operation::k_read);
  const std::uint32_t operation = thread.add_node(frame, read | format::kOperationTag);
  const std::uint32_t object = thread.add_node(operation, offset / 64 | format::kObjectTag);
  const std::uint32_t cut = thread.add_node(format::kRootCell, format::kTruncatedTag);
  thread.count(object, 100, 5);
  thread.node(frame)->samples = 3;
  thread.node(cut)->samples = 1;
  const std::uint32_t extension = thread.lane().cells_used.fetch_add(1);
  thread.node(object)->extension = extension;
  auto* counts = reinterpret_cast<format::NodeExtension*>(session.arena().cell(0, extension, 1));
  counts->bytes = 4096;
  counts->errors = 2;
  counts->hold_ticks = 77;
  counts->holds = 1;
  session.turn();
  session.collector->finish(false);

  const Recorded told = read_whole_recording(session.path);
  REQUIRE(told.objects.size() == 1);
  CHECK(told.objects[0].name == name);
  CHECK(told.objects[0].kind == format::ObjectKind::kFile);
  std::map<std::pair<std::uint64_t, Metric>, std::uint64_t> values;  // site offset, metric
  for (const format::MetricRow& row : told.metrics) {
    values[{site_of(told, row.node).offset, row.metric}] += row.value;
  }
  const std::uint64_t object_site = format::kObjectSite | told.objects[0].id;
  CHECK(values.at({object_site, Metric::kBytes}) == 4096);
  CHECK(values.at({object_site, Metric::kErrors}) == 2);
  CHECK(values.at({object_site, Metric::kHoldTicks}) == 77);
  CHECK(values.at({object_site, Metric::kHolds}) == 1);
  CHECK(values.at({0x123 | format::kPcSite, Metric::kSamples}) == 3);
  CHECK(values.at({format::kTruncatedSiteOffset, Metric::kSamples}) == 1);
}

TEST_CASE("collector: objects and events of a hostile target do no harm") {
  FakeSession session;
  FakeThread thread(session.arena(), 0, session.add_process(), 1);
  const std::uint32_t wild = thread.add_node(format::kRootCell, format::kObjectTag | 0xfffffff);
  thread.count(wild, 1, 1);
  const std::uint64_t now = collector::now_ticks();
  push_event(thread, EventKind::kException, wild, now, {~std::uint64_t{0}});  // ends in eternity
  push_event(thread, EventKind::kException, 0x3fffff, now, {1});              // no such cell
  push_event(thread, EventKind::kException, wild, now, {1, ~std::uint64_t{0}, 1, 1});
  thread.lane().ring_head += 1;
  thread.write(thread.lane().ring_head - 1, now, FakeThread::word(RingKind::kEvent, wild, 0xff02));
  session.turn();
  session.collector->finish(false);
  CHECK(read_whole_recording(session.path).events.size() <= 1);
}

}  // namespace spyglass::tests
