// SPDX-License-Identifier: Apache-2.0
#include "format/span_codec.h"

#include <catch2/catch.hpp>
#include <random>

namespace spyglass::format {
namespace {

std::vector<SpanRecord> round_trip(const std::vector<SpanRecord>& spans) {
  std::vector<std::uint8_t> bytes = {1, 2, 3};
  encode_spans(spans, bytes);
  const std::span<const std::uint8_t> payload = std::span(bytes).subspan(3);
  std::vector<SpanRecord> out(1);
  const Status status = decode_spans(payload, static_cast<std::uint32_t>(spans.size()), out);
  REQUIRE(status);
  out.erase(out.begin());
  return out;
}

// fib(n) as its spans: nested calls, times in steps of `step`.
void record_fib(int n, std::uint32_t node, std::uint64_t step, std::uint64_t& now,
                std::vector<SpanRecord>& spans) {
  const std::uint64_t start = now;
  now += step * (1 + spans.size() % 3);
  if (n > 1) {
    record_fib(n - 1, node + 1, step, now, spans);
    record_fib(n - 2, node + 1, step, now, spans);
  }
  now += step * (1 + spans.size() % 2);
  spans.push_back({start, now - start, node});
}

TEST_CASE("span codec: nothing, one and few spans") {
  CHECK(round_trip({}).empty());
  const std::vector<SpanRecord> one = {{1'000'000, 25, 3}};
  CHECK(round_trip(one) == one);
  const std::vector<SpanRecord> nested = {{110, 10, 3}, {130, 10, 3}, {100, 50, 2}};
  CHECK(round_trip(nested) == nested);
}

TEST_CASE("span codec: nested calls, in clock steps of any size") {
  const std::uint64_t step = GENERATE(1U, 2U, 26U, 30U, 1000U);
  std::vector<SpanRecord> spans;
  std::uint64_t now = 987'654'321'000 * step;
  record_fib(18, 2, step, now, spans);
  CHECK(round_trip(spans) == spans);
  spans[100].duration_ticks += 1;  // one call off the grid
  CHECK(round_trip(spans) == spans);
}

TEST_CASE("span codec: extremes in any order") {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  const std::vector<SpanRecord> spans = {
      {0, 0, 0},     {kMax, 0, UINT32_MAX}, {0, kMax, 1},     {kMax, kMax, 2}, {5, 3, 1},
      {1, kMax, 77}, {kMax / 2, 1, 5},      {kMax - 1, 1, 5}, {0, 0, 0}};
  CHECK(round_trip(spans) == spans);
}

TEST_CASE("span codec: random spans, sane and not") {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    std::vector<SpanRecord> spans(random() % 3000);
    const unsigned time_bits = 1 + random() % 64;
    const unsigned node_bits = 1 + random() % 32;
    const std::uint64_t step = 1 + random() % 64;
    std::uint64_t end = random();
    for (SpanRecord& span : spans) {
      end += (random() >> (64 - time_bits)) / step * step;
      span.duration_ticks = (random() >> (random() % 64)) / step * step;
      span.start_ticks = end - span.duration_ticks;
      span.node = static_cast<std::uint32_t>(random() >> (64 - node_bits));
    }
    REQUIRE(round_trip(spans) == spans);
  }
}

TEST_CASE("span codec: many distinct nodes") {
  std::vector<SpanRecord> spans;
  const std::uint32_t nodes = GENERATE(255U, 256U, 257U, 70'000U);
  for (std::uint32_t i = 0; i < 3 * nodes; ++i) {
    spans.push_back({1000 + 30 * std::uint64_t{i}, 20, 5 + i % nodes * 7});
  }
  CHECK(round_trip(spans) == spans);
}

TEST_CASE("span codec: damaged payloads are refused or decode to something, and never crash") {
  std::vector<SpanRecord> spans;
  std::uint64_t now = 5'000'000;
  record_fib(10, 2, 26, now, spans);
  std::vector<std::uint8_t> bytes;
  encode_spans(spans, bytes);
  const auto records = static_cast<std::uint32_t>(spans.size());
  std::vector<SpanRecord> out = {{1, 2, 3}};
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_spans(std::span(bytes).first(size), records, out));
  }
  CHECK_FALSE(decode_spans(bytes, records - 1, out));
  CHECK_FALSE(decode_spans(bytes, records + 1, out));
  CHECK_FALSE(decode_spans(bytes, UINT32_MAX, out));
  CHECK(out == std::vector<SpanRecord>{{1, 2, 3}});
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (unsigned bit = 0; bit < 8; ++bit) {
      std::vector<std::uint8_t> flipped = bytes;
      flipped[at] ^= static_cast<std::uint8_t>(1U << bit);
      out.clear();
      if (decode_spans(flipped, records, out)) {
        CHECK(out.size() == records);
      } else {
        CHECK(out.empty());
      }
    }
  }
}

}  // namespace
}  // namespace spyglass::format
