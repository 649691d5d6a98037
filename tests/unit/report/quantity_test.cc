// SPDX-License-Identifier: Apache-2.0
#include "analyzer/report/quantity.h"

#include <catch2/catch.hpp>
#include <cmath>

namespace spyglass {
namespace {

TEST_CASE("durations have three digits and the right unit", "[report]") {
  CHECK(format_duration(0) == "0");
  CHECK(format_duration(0.25) == "0.25ns");
  CHECK(format_duration(45.23) == "45.2ns");
  CHECK(format_duration(999.4) == "999ns");
  CHECK(format_duration(999.6) == "1.00µs");
  CHECK(format_duration(9.996e3) == "10.0µs");
  CHECK(format_duration(99.96e6) == "100ms");
  CHECK(format_duration(1.5e9) == "1.50s");
  CHECK(format_duration(1234e9) == "1234s");
  CHECK(format_duration(10000e9) == "2.78h");
  CHECK(format_duration(-1.5e6) == "-1.50ms");
  CHECK(format_duration_change(1.5e6) == "+1.50ms");
  CHECK(format_duration_change(0) == "0");
}

TEST_CASE("counts, shares and sizes", "[report]") {
  CHECK(format_count(0) == "0");
  CHECK(format_count(999) == "999");
  CHECK(format_count(1000) == "1,000");
  CHECK(format_count(~std::uint64_t{0}) == "18,446,744,073,709,551,615");
  CHECK(format_count_change(-1234) == "-1,234");
  CHECK(format_percent(0.1234) == "12.3%");
  CHECK(format_percent(1) == "100%");
  CHECK(format_percent_change(123.4) == "+12,340%");
  CHECK(format_percent_change(INFINITY) == "new");
  CHECK(format_bytes(1000) == "1000 bytes");
  CHECK(format_bytes(1536) == "1.50 KiB");
  CHECK(format_bytes(std::uint64_t{5} << 30U) == "5.00 GiB");
  CHECK(format_iso8601(1'700'000'000'123'456'789ULL) == "2023-11-14T22:13:20.123456789Z");
}

TEST_CASE("durations and ranges are read back", "[report]") {
  CHECK(parse_duration_ns("5ms") == 5e6);
  CHECK(parse_duration_ns("1.5 s") == 1.5e9);
  CHECK(parse_duration_ns("200us") == 2e5);
  CHECK(parse_duration_ns("200µs") == 2e5);
  CHECK(parse_duration_ns("3ns") == 3);
  CHECK(parse_duration_ns("2m") == 120e9);
  CHECK_FALSE(parse_duration_ns("5"));
  CHECK_FALSE(parse_duration_ns("ms"));
  CHECK_FALSE(parse_duration_ns("infs"));
  CHECK_FALSE(parse_duration_ns("nan ns"));
  const auto range = parse_time_range("10ms..1s");
  REQUIRE(range);
  CHECK(range->start_ns == 10e6);
  CHECK(range->end_ns == 1e9);
  CHECK(std::isinf(parse_time_range("1s..")->end_ns));
  CHECK(parse_time_range("..1s")->start_ns == 0);
  for (const char* bad : {"", "..", "1s", "2s..1s", "1s..1s", "-1s..2s", "a..b", "1..2"}) {
    CHECK_FALSE(parse_time_range(bad));
  }
}

}  // namespace
}  // namespace spyglass
