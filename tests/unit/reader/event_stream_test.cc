// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/event_stream.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "analyzer/reader/block_check.h"
#include "tests/support/recording_builder.h"

namespace spyglass {
namespace {

std::vector<Event> events_of(SgzReader& reader, const RecordingTables& tables, EventFilter filter) {
  EventStream stream(reader, tables, std::move(filter));
  std::vector<Event> events;
  Event event;
  while (stream.next(event)) {
    events.push_back(event);
  }
  return events;
}

struct Sample {
  tests::RecordingBuilder recording = tests::sample_recording().finish();
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  RecordingTables tables = read_tables(*reader);
};

std::size_t count(const std::vector<Event>& events, EventKind kind) {
  return static_cast<std::size_t>(std::ranges::count(events, kind, &Event::kind));
}

TEST_CASE("event stream: everything, in the order of time") {
  Sample sample;
  const std::vector<Event> events = events_of(*sample.reader, sample.tables, {});
  CHECK(std::ranges::is_sorted(events, {}, &Event::ticks));
  CHECK(count(events, EventKind::kProcessStart) == 2);
  CHECK(count(events, EventKind::kProcessEnd) == 2);
  CHECK(count(events, EventKind::kThreadStart) == 3);
  CHECK(count(events, EventKind::kThreadEnd) == 3);
  CHECK(count(events, EventKind::kSpan) == 6);
  CHECK(count(events, EventKind::kSnapshot) == 5);
  CHECK(count(events, EventKind::kSample) == 2);
  CHECK(count(events, EventKind::kOpenCall) == 1);
  CHECK(count(events, EventKind::kLoss) == 1);
  CHECK(events.back().kind == EventKind::kSessionEnd);
  // Births come before what happens at the same time, ends after it.
  CHECK(events.front().kind == EventKind::kProcessStart);
}

TEST_CASE("event stream: by kind, by thread and by time") {
  Sample sample;
  EventFilter spans;
  spans.kinds = 1U << static_cast<unsigned>(EventKind::kSpan);
  CHECK(events_of(*sample.reader, sample.tables, spans).size() == 6);

  EventFilter worker = spans;
  worker.thread = [](std::uint32_t thread) { return thread == 2; };
  const std::vector<Event> of_worker = events_of(*sample.reader, sample.tables, worker);
  REQUIRE(of_worker.size() == 2);
  CHECK(of_worker[0].span.thread == 2);

  EventFilter early = spans;
  early.last_ticks = 1'002'105;  // leaf at 1 002 110 and 1 002 130 begin later
  CHECK(events_of(*sample.reader, sample.tables, early).size() == 4);
  early.first_ticks = 1'002'000;
  CHECK(events_of(*sample.reader, sample.tables, early).size() == 4);
  early.first_ticks = 1'500'000;
  early.last_ticks = ~std::uint64_t{0};
  CHECK(events_of(*sample.reader, sample.tables, early).empty());
}

TEST_CASE("block check: payloads must hold what their header says") {
  Sample sample;
  sample.reader->rewind();
  BlockView block;
  std::vector<std::uint8_t> raw;
  while (sample.reader->next(block)) {
    REQUIRE(sample.reader->payload(block, raw));
    CHECK(check_records(block.header, raw));
    const bool single = block.header.kind == format::BlockKind::kSession ||
                        block.header.kind == format::BlockKind::kEnd;
    ++block.header.records;
    CHECK(static_cast<bool>(check_records(block.header, raw)) == single);
    --block.header.records;
    raw.push_back(0xff);
    CHECK_FALSE(check_records(block.header, raw));
  }
}

}  // namespace
}  // namespace spyglass
