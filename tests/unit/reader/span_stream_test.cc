// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/span_stream.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>

#include "analyzer/reader/recording_tables.h"
#include "tests/support/recording_builder.h"

namespace spyglass {
namespace {

using tests::RecordingBuilder;

std::vector<ThreadSpan> stream_of(const RecordingBuilder& recording,
                                  std::vector<ReaderDamage>* damage) {
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  REQUIRE(reader);
  SpanStream stream(*reader, read_tables(*reader).span_blocks);
  std::vector<ThreadSpan> spans;
  ThreadSpan span;
  while (stream.next(span)) {
    spans.push_back(span);
  }
  if (damage != nullptr) {
    *damage = reader->damage();
  }
  return spans;
}

TEST_CASE("span stream: threads are merged by the ends of their spans") {
  std::mt19937_64 random(4);
  const std::uint32_t threads = GENERATE(1U, 2U, 40U);
  RecordingBuilder recording;
  std::map<std::uint32_t, std::vector<format::SpanRecord>> expected;
  std::vector<std::uint64_t> clock(threads + 1, 1000);
  for (int block = 0; block < 100; ++block) {
    const auto thread = static_cast<std::uint32_t>(1 + random() % threads);
    std::vector<format::SpanRecord> spans(random() % 50);
    for (format::SpanRecord& span : spans) {
      clock[thread] += random() % 100;
      span.duration_ticks = random() % 300;
      span.start_ticks = clock[thread] - span.duration_ticks;
      span.node = static_cast<std::uint32_t>(random() % 5);
    }
    recording.spans(thread, spans);
    auto& all = expected[thread];
    all.insert(all.end(), spans.begin(), spans.end());
  }
  const std::vector<ThreadSpan> merged = stream_of(recording.finish(), nullptr);
  std::map<std::uint32_t, std::vector<format::SpanRecord>> found;
  for (const ThreadSpan& span : merged) {
    found[span.thread].push_back(span.span);
  }
  std::erase_if(expected, [](const auto& entry) { return entry.second.empty(); });
  CHECK(found == expected);
  CHECK(std::ranges::is_sorted(merged, {}, &ThreadSpan::end_ticks));
}

TEST_CASE("span stream: a payload that is no spans leaves the others") {
  RecordingBuilder recording;
  recording.spans(1, {{10, 5, 1}})
      .block(format::BlockKind::kSpans, {1, 2, 3, 4}, 2, 1)
      .spans(1, {{30, 5, 1}})
      .finish();
  CHECK(stream_of(recording, nullptr).size() == 2);
}

TEST_CASE("recording tables: everything of the sample") {
  const RecordingBuilder recording = tests::sample_recording(format::Codec::kZstd).finish();
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  REQUIRE(reader);
  const RecordingTables tables = read_tables(*reader);
  CHECK(tables.session->command.at(0) == "./sample");
  CHECK(tables.end->coverage.size() == 1);
  CHECK(tables.processes.size() == 2);
  CHECK(tables.threads.at(2).name == "worker");
  CHECK(tables.open_at_end.size() == 1);
  CHECK(tables.losses.size() == 1);
  CHECK(tables.span_blocks.size() == 2);
  CHECK(tables.counter_blocks.size() == 1);
  CHECK(symbol_of_node(tables, 1) == "[root]");
  CHECK(symbol_of_node(tables, 3) == "_Z4workv");
  CHECK(symbol_of_node(tables, 99) == "[node 99]");
}

TEST_CASE("recording tables: functions without symbols, and later records of an id") {
  RecordingBuilder recording;
  format::ThreadRecord early;
  early.id = 1;
  format::ThreadRecord late = early;
  late.name = "named";
  recording.threads({early})
      .threads({late})
      .losses({{format::LossKind::kSpans, 1, 1, "ring full"}})
      .losses({{format::LossKind::kSpans, 5, 1, "ring full"}})
      .modules({{1, "/lib/libx.so", {}}})
      .sites({{1, 1, 0x12}, {2, 0, 0x1234}, {3, 0, format::kOverflowSiteOffset}})
      .nodes({{1, 0, 0}, {2, 1, 1}, {3, 1, 2}, {4, 1, 3}})
      .finish();
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  REQUIRE(reader);
  const RecordingTables tables = read_tables(*reader);
  CHECK(tables.threads.at(1).name == "named");
  REQUIRE(tables.losses.size() == 1);
  CHECK(tables.losses[0].count == 5);
  CHECK(symbol_of_node(tables, 2) == "libx.so+0x12");
  CHECK(symbol_of_node(tables, 3) == "0x1234");
  CHECK(symbol_of_node(tables, 4) == "[past the tree's bound]");
}

}  // namespace
}  // namespace spyglass
