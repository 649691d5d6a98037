// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <random>

#include "analyzer/model/profile_builder.h"
#include "tests/support/call_script.h"

namespace {

using spyglass::build_profile_from_bytes;
using spyglass::Profile;
using spyglass::tests::CallScript;
using spyglass::tests::function_named;
using spyglass::tests::node_at;
using spyglass::tests::RecordingBuilder;
using spyglass::tests::sample_recording;
namespace format = spyglass::format;

RecordingBuilder with_nodes(const std::vector<format::NodeRecord>& nodes) {
  format::SessionInfo session;
  session.start = {1000, 1, 1};
  session.ns_per_tick_q60 = std::uint64_t{1} << 60U;
  std::vector<format::CounterRow> rows;
  for (std::uint32_t id = 2; id <= 5; ++id) {
    format::CounterRow row;
    row.thread = 1;
    row.node = id;
    row.calls = 1;
    row.wall_ticks = row.min_ticks = row.max_ticks = 100 - 10 * id;
    rows.push_back(row);
  }
  RecordingBuilder builder;
  builder.session(session).sites({{1, 0, 0x10}, {2, 0, 0x20}, {3, 0, 0x30}, {4, 0, 0x40}});
  builder.nodes(nodes).counters(rows, 1000, 1100);
  return builder;
}

TEST_CASE("nodes without their callers hang under the damaged call path", "[model]") {
  const RecordingBuilder whole =
      with_nodes({{1, 0, 0}, {2, 1, 1}, {3, 2, 2}, {4, 3, 3}, {5, 4, 4}});
  const auto profile = build_profile_from_bytes(whole.bytes(), "x", {});
  REQUIRE(profile);
  CHECK(node_at(*profile, {"0x10", "0x20", "0x30", "0x40"}).metrics.calls == 1);

  const RecordingBuilder cut = with_nodes({{1, 0, 0}, {2, 1, 1}, {4, 3, 3}, {5, 4, 4}});
  const auto damaged = build_profile_from_bytes(cut.bytes(), "x", {});
  REQUIRE(damaged);
  CHECK(node_at(*damaged, {"[damaged call path]"}).metrics.calls == 1);
  CHECK(node_at(*damaged, {"[damaged call path]", "0x30", "0x40"}).metrics.calls == 1);
  CHECK(node_at(*damaged, {"0x10"}).metrics.calls == 1);
}

TEST_CASE("nodes that break the format's promises are no trap", "[model]") {
  const std::uint32_t last = ~std::uint32_t{0};
  const RecordingBuilder hostile = with_nodes(
      {{1, 1, 1}, {2, 5, 1}, {3, 3, 2}, {5, last, 3}, {last, 2, 9}, {last, last, 1}, {7, 6, 1}});
  const auto profile = build_profile_from_bytes(hostile.bytes(), "x", {});
  REQUIRE(profile);
  for (std::size_t i = 1; i < profile->nodes.size(); ++i) {
    CHECK(profile->nodes[i].parent < i);
    CHECK(profile->nodes[i].function < profile->functions.size());
  }
}

TEST_CASE("names: embedded, or module and offset", "[model]") {
  CallScript script;
  script.call("known", 5).without_symbols();
  const Profile profile = script.profile();
  CHECK(profile.functions.at(0).name == "script+0x1010");
  CHECK(profile.functions.at(0).short_name == "script+0x1010");
}

TEST_CASE("equal functions at different sites are one node", "[model]") {
  format::SessionInfo session;
  session.start = {1000, 1, 1};
  session.ns_per_tick_q60 = std::uint64_t{1} << 60U;
  RecordingBuilder builder;
  builder.session(session).modules({{1, "/a/lib.so", {1}}, {2, "/b/lib.so", {1}}, {3, "/c", {3}}});
  builder.sites({{1, 1, 0x10}, {2, 2, 0x10}, {3, 3, 0x10}, {4, 3, 0x20}});
  builder.nodes({{1, 0, 0}, {2, 1, 1}, {3, 1, 2}, {4, 1, 3}, {5, 1, 4}});
  std::vector<format::CounterRow> rows(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    rows[i].thread = 1;
    rows[i].node = i + 2;
    rows[i].calls = 1;
    rows[i].wall_ticks = rows[i].min_ticks = rows[i].max_ticks = 10;
  }
  builder.counters(rows, 1000, 1100);
  // Two static functions of one name in /c: different without lines to tell that they are one.
  builder.symbols({{1, {{"f", "f.c", 3, false}}},
                   {2, {{"f", "f.c", 3, false}}},
                   {3, {{"f", "", 0, false}}},
                   {4, {{"f", "", 0, false}}}});
  const auto profile = build_profile_from_bytes(builder.bytes(), "x", {});
  REQUIRE(profile);
  REQUIRE(profile->functions.size() == 3);
  CHECK(profile->functions[0].metrics.calls == 2);
  CHECK(profile->functions[0].module == "/a/lib.so");
  CHECK(profile->functions[1].metrics.calls == 1);
}

TEST_CASE("losses are summed over threads, the latest record counts", "[model]") {
  RecordingBuilder builder = sample_recording();
  builder.losses({{format::LossKind::kSpans, 5, 2, "ring full"},
                  {format::LossKind::kSpans, 4, 1, "ring full"},
                  {format::LossKind::kRepairedFrames, 1, 1, "longjmp"}});
  const auto profile = build_profile_from_bytes(builder.bytes(), "x", {});
  REQUIRE(profile);
  REQUIRE(profile->losses.size() == 2);
  CHECK(profile->losses[0].count == 9);
  CHECK(profile->losses[0].thread == 0);
  CHECK(profile->losses[1].count == 1);
  CHECK(profile->losses[1].thread == 1);
  CHECK(profile->coverage.size() == 1);
  CHECK(profile->spans == 6);
}

TEST_CASE("any truncation and any flipped byte leave a profile", "[model]") {
  RecordingBuilder builder = sample_recording();
  const std::vector<std::uint8_t> whole = builder.finish().bytes();
  spyglass::ProfileOptions ranged;
  ranged.range = spyglass::TimeRange{0, 100'000};
  spyglass::ProfileOptions spans;
  spans.from_spans = true;
  for (std::size_t cut = 0; cut < whole.size(); cut += 3) {
    const std::vector<std::uint8_t> part(whole.begin(),
                                         whole.begin() + static_cast<std::ptrdiff_t>(cut));
    (void)build_profile_from_bytes(part, "x", {});
    (void)build_profile_from_bytes(part, "x", spans);
  }
  std::vector<std::uint8_t> bytes = whole;
  for (std::size_t at = 64; at < whole.size(); ++at) {
    bytes[at] ^= 0x55U;
    const auto profile = build_profile_from_bytes(bytes, "x", at % 2 == 0 ? ranged : spans);
    CHECK(profile.has_value());
    bytes[at] = whole[at];
  }
}

TEST_CASE("a tree a million deep is no problem", "[model]") {
  constexpr std::uint32_t kDepth = 1'000'000;
  format::SessionInfo session;
  session.start = {1000, 1, 1};
  session.ns_per_tick_q60 = std::uint64_t{1} << 60U;
  RecordingBuilder builder;
  builder.compress_with(format::Codec::kLz4).session(session).sites({{1, 0, 0x10}});
  constexpr std::uint32_t kPart = 100'000;
  for (std::uint32_t begin = 2; begin <= kDepth; begin += kPart) {
    std::vector<format::NodeRecord> nodes;
    std::vector<format::CounterRow> rows;
    for (std::uint32_t id = begin; id < begin + kPart; ++id) {
      nodes.push_back({id, id - 1, 1});
      format::CounterRow row;
      row.thread = 1;
      row.node = id;
      row.calls = 1;
      row.wall_ticks = row.min_ticks = row.max_ticks = kDepth + 2 - id;
      rows.push_back(row);
    }
    builder.nodes(nodes).counters(rows, 1000, 1100);
  }
  const auto profile = build_profile_from_bytes(builder.bytes(), "x", {});
  REQUIRE(profile);
  CHECK(profile->nodes.size() == kDepth + 1);
  CHECK(profile->nodes.back().depth == kDepth);
  CHECK(profile->functions.at(0).metrics.wall_total_ns == Approx(kDepth));
}

}  // namespace
