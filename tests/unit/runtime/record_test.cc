// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/record.h"

#include <catch2/catch.hpp>
#include <cstdint>

#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/lane.h"
#include "tests/support/own_session.h"

namespace {

using namespace spyglass;
using namespace spyglass::runtime;

// As a hook leaves it that a handler interrupts after it published its entry.
void publish_vacant(format::Lane* lane, std::uint64_t stale_sp) {
  format::Entry* entry = top_of(lane) - 1;
  entry->node = lane->cells;
  entry->flags = 0;
  entry->sp = stale_sp;
  lane->top = reinterpret_cast<std::uint64_t>(entry);
}

TEST_CASE("hooks of handlers that interrupted hooks, of handlers too, are below the open call") {
  constexpr std::uint64_t kOuter = 0x1000;
  constexpr std::uint64_t kInner = 0x2000;
  OwnSession session({});
  format::Lane* lane = OwnSession::lane();
  const auto sp = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  enter_slowly(kOuter, sp);
  const OpenCall outer = innermost_special_call(lane);
  REQUIRE(outer.node->address == kOuter);
  for (const unsigned vacant : {1U, 2U, 3U, 40U}) {
    const std::uint64_t top = lane->top;
    for (unsigned i = 0; i < vacant; ++i) {
      publish_vacant(lane, 8);
    }
    const std::uint64_t lowest = lane->top;
    enter_slowly(kInner, sp - 64);
    const OpenCall inner = innermost_special_call(lane);
    CHECK(inner.node->address == kInner);
    CHECK(node_at(lane, inner.node->parent) == outer.node);
    exit_slowly(kInner, sp - 64, ticks());
    CHECK(lane->top == lowest);
    CHECK(innermost_special_call(lane).node == outer.node);
    lane->top = top;
  }
  CHECK(lane->frames_repaired == 0);
  CHECK(lane->orphan_exits == 0);
  exit_slowly(kOuter, sp, ticks());
  CHECK(outer.node->calls == 1);
}

TEST_CASE("a stack of vacant entries only is the thread's root") {
  OwnSession session({});
  format::Lane* lane = OwnSession::lane();
  const std::uint64_t top = lane->top;
  publish_vacant(lane, 8);
  publish_vacant(lane, 8);
  CHECK(innermost_special_call(lane).node == node_at(lane, format::kRootCell));
  lane->top = top;
}

}  // namespace
