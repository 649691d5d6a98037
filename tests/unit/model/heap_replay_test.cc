// SPDX-License-Identifier: Apache-2.0
// The replay's inner parts, against what is too simple to be wrong.
#include "analyzer/model/heap_replay.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <random>
#include <unordered_map>
#include <vector>

#include "analyzer/model/heap_suppressions.h"

namespace spyglass::model {
namespace {

using format::AllocationKind;
using format::AllocationRecord;

HeapReplay replay_of(std::size_t nodes, std::uint64_t sample_bytes = 0) {
  HeapReplay::Settings settings;
  settings.nodes = nodes;
  settings.sample_bytes = sample_bytes;
  HeapReplay replay(settings);
  format::ProcessRecord process;
  process.id = 1;
  replay.add(process);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    format::ThreadRecord thread;
    thread.id = id;
    thread.process = 1;
    replay.add(thread);
  }
  return replay;
}

TEST_CASE("heap replay: the table of live blocks is a map") {
  std::mt19937_64 random(11);
  LiveBlocks blocks;
  std::unordered_map<std::uint64_t, std::uint64_t> expected;
  for (int i = 0; i < 200'000; ++i) {
    // Few addresses, so that they come again; phases that grow and shrink.
    const std::uint64_t address = 16 + 16 * (random() % 20'000);
    const bool grows = (i / 50'000) % 2 == 0;
    LiveBlock* found = blocks.find(address);
    REQUIRE((found != nullptr) == expected.contains(address));
    if (found == nullptr && (grows || random() % 4 == 0)) {
      blocks.add({address, static_cast<std::uint64_t>(i), 0, 0, 0, 0, 0});
      expected[address] = static_cast<std::uint64_t>(i);
    } else if (found != nullptr && (!grows || random() % 4 == 0)) {
      REQUIRE(found->bytes == expected[address]);
      blocks.remove(found);
      expected.erase(address);
    }
    REQUIRE(blocks.size() == expected.size());
  }
  std::size_t seen = 0;
  blocks.each([&](const LiveBlock& block) {
    CHECK(expected.at(block.address) == block.bytes);
    ++seen;
  });
  CHECK(seen == expected.size());
}

// The same figures, keeping everything and looking at everything each time.
struct BruteForce {
  std::map<std::uint64_t, std::pair<std::uint32_t, std::uint64_t>> live;
  std::vector<std::uint64_t> of_node;
  std::vector<std::uint64_t> at_peak;
  std::vector<std::uint64_t> own_peak;
  std::uint64_t peak = 0;
  std::uint64_t peak_ticks = 0;

  void look(std::uint64_t ticks) {
    std::fill(of_node.begin(), of_node.end(), 0);
    std::uint64_t all = 0;
    for (const auto& [address, block] : live) {
      of_node[block.first] += block.second;
      all += block.second;
    }
    for (std::size_t i = 0; i < of_node.size(); ++i) {
      own_peak[i] = std::max(own_peak[i], of_node[i]);
    }
    if (all > peak) {
      peak = all;
      peak_ticks = ticks;
      at_peak = of_node;
    }
  }
};

TEST_CASE("heap replay: peaks in one pass equal those of a look at everything each time") {
  const auto seed = GENERATE(range(1U, 9U));
  std::mt19937_64 random(seed);
  constexpr std::uint32_t kNodes = 12;
  HeapReplay replay = replay_of(kNodes);
  BruteForce expected;
  expected.of_node.resize(kNodes);
  expected.own_peak.resize(kNodes);
  std::uint64_t ticks = 100'000;
  for (int i = 0; i < 4000; ++i) {
    ticks += 10'000;
    const std::uint64_t address = 16 + 16 * (random() % 100);
    const auto thread = static_cast<std::uint32_t>(1 + random() % 3);
    const auto node = static_cast<std::uint32_t>(random() % kNodes);
    const std::uint64_t bytes = random() % 5000;
    if (expected.live.contains(address)) {
      replay.see(thread, 0, {ticks, AllocationKind::kFree, 0, address, 0});
      expected.live.erase(address);
    } else {
      replay.see(thread, node, {ticks, AllocationKind::kAllocate, 0, address, bytes});
      expected.live[address] = {node, bytes};
    }
    expected.look(ticks);
  }
  replay.finish();
  CHECK(replay.figures().peak().bytes == expected.peak);
  CHECK(replay.totals().peak_ticks == expected.peak_ticks);
  for (std::uint32_t node = 0; node < kNodes; ++node) {
    CHECK(replay.figures()[node].at_peak.bytes == expected.at_peak[node]);
    CHECK(replay.figures()[node].own_peak_bytes == expected.own_peak[node]);
    CHECK(replay.figures()[node].leaked.bytes == expected.of_node[node]);
    CHECK(replay.figures()[node].live.bytes == 0);
  }
  CHECK(replay.figures().live().bytes == 0);
}

TEST_CASE("heap replay: estimates from samples are unbiased, and their error is what they say") {
  constexpr std::uint64_t kDistance = 10'000;
  constexpr int kRounds = 300;
  constexpr int kBlocks = 2000;
  std::mt19937_64 random(3);
  double count = 0;
  double bytes = 0;
  double squares = 0;
  double variances = 0;
  std::uint64_t true_bytes = 0;
  for (int i = 0; i < kBlocks; ++i) true_bytes += 16U << (i % 12);
  for (int round = 0; round < kRounds; ++round) {
    HeapReplay replay = replay_of(1, kDistance);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (int i = 0; i < kBlocks; ++i) {
      const std::uint64_t size = 16U << (i % 12);
      const double share = -std::expm1(-static_cast<double>(size) / kDistance);
      if (uniform(random) < share) {
        const auto number = static_cast<std::uint64_t>(i + 1);
        replay.see(1, 0, {number, AllocationKind::kAllocate, 0, number * 16, size});
      }
    }
    replay.finish();
    const NodeFigures& figures = replay.figures()[0];
    const auto estimate = static_cast<double>(figures.allocated.bytes);
    count += static_cast<double>(figures.allocated.blocks) /
             static_cast<double>(replay.weights().unit());
    bytes += estimate;
    squares +=
        (estimate - static_cast<double>(true_bytes)) * (estimate - static_cast<double>(true_bytes));
    variances += figures.allocated.variance;
    CHECK(figures.leaked.bytes == figures.allocated.bytes);
  }
  CHECK(count / kRounds == Approx(kBlocks).epsilon(0.05));
  CHECK(bytes / kRounds == Approx(true_bytes).epsilon(0.01));
  CHECK(variances / kRounds == Approx(squares / kRounds).epsilon(0.25));
}

TEST_CASE("heap replay: suppressions match as LeakSanitizer says") {
  CHECK(suppression_matches("foo", "a::foo(int)"));
  CHECK_FALSE(suppression_matches("^foo", "a::foo(int)"));
  CHECK(suppression_matches("^foo", "foo_bar"));
  CHECK(suppression_matches("foo$", "bar_foo"));
  CHECK_FALSE(suppression_matches("foo$", "foo_bar"));
  CHECK(suppression_matches("^f*o$", "foooo"));
  CHECK(suppression_matches("lib*.so", "/usr/lib/libx.so.6"));
  CHECK_FALSE(suppression_matches("foo", ""));
  const auto patterns = parse_suppressions("# mine\n\nleak:foo*\n  leak:^bar$ \r\n");
  REQUIRE(patterns);
  CHECK(*patterns == std::vector<std::string>{"foo*", "^bar$"});
  CHECK_FALSE(parse_suppressions("race:foo\n"));
  CHECK_FALSE(parse_suppressions("leak:\n"));
}

}  // namespace
}  // namespace spyglass::model
