// SPDX-License-Identifier: Apache-2.0
#include "format/table_codec.h"

#include <catch2/catch.hpp>
#include <random>

#include "format/duration_histogram.h"

namespace spyglass::format {
namespace {

constexpr std::uint64_t kMax = ~std::uint64_t{0};

bool same(const SiteRecord& a, const SiteRecord& b) {
  return a.id == b.id && a.module == b.module && a.offset == b.offset;
}
bool same(const NodeRecord& a, const NodeRecord& b) {
  return a.id == b.id && a.parent == b.parent && a.site == b.site;
}
bool same(const CounterRow& a, const CounterRow& b) { return a == b; }
bool same(const MetricRow& a, const MetricRow& b) { return a == b; }
bool same(const OpenCall& a, const OpenCall& b) {
  return a.thread == b.thread && a.node == b.node && a.start_ticks == b.start_ticks &&
         a.ticks == b.ticks && a.inherited == b.inherited && a.final == b.final;
}

// Round trip, and every truncation of the payload refused.
template <typename Record, typename Encode, typename Decode>
void check_table(const std::vector<Record>& records, Encode encode, Decode decode) {
  std::vector<std::uint8_t> bytes;
  encode(records, bytes);
  const auto count = static_cast<std::uint32_t>(records.size());
  std::vector<Record> out;
  REQUIRE(decode(bytes, count, out));
  REQUIRE(out.size() == records.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    REQUIRE(same(out[i], records[i]));
  }
  out.clear();
  for (std::size_t size = 0; size < bytes.size(); size += 1 + size / 50) {
    CHECK_FALSE(decode(std::span(bytes).first(size), count, out));
    CHECK(out.empty());
  }
  CHECK_FALSE(decode(bytes, count + 1, out));
  CHECK_FALSE(decode(bytes, UINT32_MAX, out));
  if (count > 0) {
    CHECK_FALSE(decode(bytes, count - 1, out));
  }
}

TEST_CASE("table codec: sites") {
  check_table<SiteRecord>({}, encode_sites, decode_sites);
  check_table<SiteRecord>({{1, 1, 0x1000},
                           {2, 1, 0x1040},
                           {3, 0, kOverflowSiteOffset},
                           {UINT32_MAX, UINT32_MAX, kMax},
                           {0, 0, 0}},
                          encode_sites, decode_sites);
}

TEST_CASE("table codec: nodes") {
  check_table<NodeRecord>(
      {{1, 0, 0}, {2, 1, 1}, {3, 2, 2}, {4, 2, 1}, {UINT32_MAX, 0, UINT32_MAX}, {0, UINT32_MAX, 0}},
      encode_nodes, decode_nodes);
}

TEST_CASE("table codec: counters") {
  check_table<CounterRow>({{.thread = 1,
                            .node = 2,
                            .calls = 10,
                            .wall_ticks = 500,
                            .min_ticks = 20,
                            .max_ticks = 90,
                            .buckets = {{3, 4}, {4, 5}, {9, 1}}},
                           {.thread = 1, .node = 3, .buckets = {}},
                           {.thread = UINT32_MAX,
                            .node = UINT32_MAX,
                            .calls = kMax,
                            .wall_ticks = kMax,
                            .off_cpu_ticks = kMax,
                            .min_ticks = kMax,
                            .max_ticks = kMax,
                            .untimed_calls = kMax,
                            .fold_in_calls = kMax,
                            .fold_in_ticks = kMax,
                            .fold_out_ticks = kMax,
                            .buckets = {{0, kMax}, {kHistogramBuckets - 1, kMax}}}},
                          encode_counters, decode_counters);
}

TEST_CASE("table codec: open calls") {
  check_table<OpenCall>(
      {{.thread = 1, .node = 2, .start_ticks = 100, .ticks = 200},
       {.thread = 1, .node = 3, .start_ticks = 110, .ticks = 200, .inherited = true},
       {.thread = 2, .node = 1, .start_ticks = kMax, .ticks = 0, .final = true},
       {.thread = 0,
        .node = UINT32_MAX,
        .start_ticks = 0,
        .ticks = kMax,
        .inherited = true,
        .final = true}},
      encode_open_calls, decode_open_calls);
}

TEST_CASE("table codec: metrics") {
  check_table<MetricRow>({{.thread = 1, .node = 2, .metric = Metric::kSamples, .value = 70},
                          {.thread = 1, .node = 2, .metric = Metric::kHolds, .value = 0},
                          {.thread = UINT32_MAX,
                           .node = UINT32_MAX,
                           .metric = static_cast<Metric>(UINT32_MAX),
                           .value = kMax},
                          {.thread = 0, .node = 0}},
                         encode_metrics, decode_metrics);
}

TEST_CASE("table codec: a bucket past the histogram is refused") {
  const std::vector<CounterRow> rows = {
      {.thread = 1, .node = 2, .buckets = {{kHistogramBuckets, 1}}}};
  std::vector<std::uint8_t> bytes;
  encode_counters(rows, bytes);
  std::vector<CounterRow> out;
  CHECK_FALSE(decode_counters(bytes, 1, out));
}

TEST_CASE("table codec: random bytes never crash a decoder") {
  std::mt19937 random(3);
  for (int round = 0; round < 5000; ++round) {
    std::vector<std::uint8_t> bytes(random() % 300);
    for (std::uint8_t& byte : bytes) {
      byte = static_cast<std::uint8_t>(random() % (round % 2 == 0 ? 256 : 4));
    }
    const auto count = static_cast<std::uint32_t>(random() % 40);
    std::vector<SiteRecord> sites;
    std::vector<NodeRecord> nodes;
    std::vector<CounterRow> rows;
    std::vector<OpenCall> calls;
    std::vector<MetricRow> metrics;
    const std::size_t expected_sites = decode_sites(bytes, count, sites) ? count : 0;
    CHECK(sites.size() == expected_sites);
    const std::size_t expected_nodes = decode_nodes(bytes, count, nodes) ? count : 0;
    CHECK(nodes.size() == expected_nodes);
    const std::size_t expected_rows = decode_counters(bytes, count, rows) ? count : 0;
    CHECK(rows.size() == expected_rows);
    const std::size_t expected_calls = decode_open_calls(bytes, count, calls) ? count : 0;
    CHECK(calls.size() == expected_calls);
    const std::size_t expected_metrics = decode_metrics(bytes, count, metrics) ? count : 0;
    CHECK(metrics.size() == expected_metrics);
  }
}

}  // namespace
}  // namespace spyglass::format
