// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/allocation_stream.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <utility>

#include "analyzer/reader/recording_tables.h"
#include "tests/support/recording_builder.h"

namespace spyglass {
namespace {

using format::AllocationKind;
using format::AllocationRecord;
using tests::RecordingBuilder;

using Seen = std::vector<std::pair<std::uint32_t, AllocationRecord>>;

Seen stream_of(const RecordingBuilder& recording) {
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  REQUIRE(reader);
  AllocationStream stream(*reader, read_tables(*reader).allocation_blocks);
  Seen seen;
  std::uint32_t thread = 0;
  while (const AllocationRecord* record = stream.next(thread)) {
    seen.emplace_back(thread, *record);
  }
  return seen;
}

TEST_CASE("allocation stream: threads are merged in the order of time") {
  std::mt19937_64 random(7);
  const std::uint32_t threads = GENERATE(1U, 3U, 40U);
  RecordingBuilder recording;
  std::map<std::uint32_t, std::vector<AllocationRecord>> expected;
  std::vector<std::uint64_t> clock(threads + 1, 1000);
  for (int block = 0; block < 100; ++block) {
    const auto thread = static_cast<std::uint32_t>(1 + random() % threads);
    std::vector<AllocationRecord> records(1 + random() % 50);
    for (AllocationRecord& record : records) {
      clock[thread] += random() % 100;
      record = {clock[thread], AllocationKind::kAllocate, 2, random() % 1000, random() % 100};
    }
    recording.allocations(thread, records);
    auto& all = expected[thread];
    all.insert(all.end(), records.begin(), records.end());
  }
  const Seen merged = stream_of(recording.finish());
  std::map<std::uint32_t, std::vector<AllocationRecord>> found;
  for (const auto& [thread, record] : merged) {
    found[thread].push_back(record);
  }
  CHECK(found == expected);
  CHECK(std::ranges::is_sorted(merged, {}, [](const auto& seen) { return seen.second.ticks; }));
}

TEST_CASE("allocation stream: a payload that is none leaves the others") {
  RecordingBuilder recording;
  recording.allocations(1, {{10, AllocationKind::kAllocate, 2, 64, 8}})
      .block(format::BlockKind::kAllocations, {1, 2, 3}, 2, 1)
      .allocations(1, {{30, AllocationKind::kFree, 2, 64, 0}})
      .finish();
  CHECK(stream_of(recording).size() == 2);
}

TEST_CASE("allocation stream: resident memory is a stream too") {
  RecordingBuilder recording;
  recording.resident({{1, 100, 4096}, {2, 100, 8192}}).resident({{1, 200, 12288}}).finish();
  Result<SgzReader> reader = SgzReader::from_bytes(recording.bytes());
  REQUIRE(reader);
  ResidentStream stream(*reader, read_tables(*reader).resident_blocks);
  std::vector<std::uint64_t> bytes;
  std::uint32_t thread = 0;
  while (const format::ResidentRecord* record = stream.next(thread)) {
    bytes.push_back(record->resident_bytes);
  }
  CHECK(bytes == std::vector<std::uint64_t>{4096, 8192, 12288});
}

}  // namespace
}  // namespace spyglass
