// SPDX-License-Identifier: Apache-2.0
#include "format/event_codec.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace spyglass::format {
namespace {

constexpr std::uint64_t kMax = ~std::uint64_t{0};

std::vector<EventRecord> some_events() {
  return {{.start_ticks = 1000, .node = 7, .value = 1, .text = ""},
          {.start_ticks = 900,
           .duration_ticks = 400,
           .kind = EventKind::kException,
           .node = 9,
           .other_node = 3,
           .value = 2,
           .text = std::string("no \0such key", 12)},
          {.start_ticks = kMax,
           .duration_ticks = kMax,
           .kind = static_cast<EventKind>(UINT32_MAX),
           .node = UINT32_MAX,
           .other_node = UINT32_MAX,
           .other_thread = UINT32_MAX,
           .value = kMax,
           .text = std::string(1000, 'x')},
          EventRecord{}};
}

TEST_CASE("event codec: what goes in comes out, and nothing else is taken") {
  const std::vector<EventRecord> events = some_events();
  const auto count = static_cast<std::uint32_t>(events.size());
  std::vector<std::uint8_t> bytes;
  encode_events(events, bytes);
  std::vector<EventRecord> out(1);
  REQUIRE(decode_events(bytes, count, out));
  REQUIRE(out.size() == 1 + events.size());
  CHECK(std::vector(out.begin() + 1, out.end()) == events);
  out.clear();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_events(std::span(bytes).first(size), count, out));
    CHECK(out.empty());
  }
  CHECK_FALSE(decode_events(bytes, count + 1, out));
  CHECK_FALSE(decode_events(bytes, count - 1, out));
  CHECK_FALSE(decode_events(bytes, UINT32_MAX, out));
  CHECK(decode_events({}, 0, out));
}

TEST_CASE("event codec: a text longer than the payload is refused") {
  std::vector<std::uint8_t> bytes;
  encode_events(std::vector<EventRecord>(1), bytes);
  bytes.back() = 0x7f;
  std::vector<EventRecord> out;
  CHECK_FALSE(decode_events(bytes, 1, out));
  CHECK(out.empty());
}

TEST_CASE("event codec: random bytes never crash the decoder") {
  std::mt19937 random(11);
  std::vector<std::uint8_t> valid;
  encode_events(some_events(), valid);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::uint8_t> bytes = valid;
    if (round % 2 == 0) {
      bytes.resize(random() % 64);
    }
    for (int i = 0; i < 4 && !bytes.empty(); ++i) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    std::vector<EventRecord> out;
    const auto count = static_cast<std::uint32_t>(random() % 6);
    const std::size_t expected = decode_events(bytes, count, out) ? count : 0;
    CHECK(out.size() == expected);
  }
}

}  // namespace
}  // namespace spyglass::format
