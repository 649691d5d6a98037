// SPDX-License-Identifier: Apache-2.0
// What a recording of allocations says of the heap.
#include "analyzer/model/heap.h"

#include <catch2/catch.hpp>

#include "format/duration_histogram.h"
#include "tests/support/heap_script.h"

namespace spyglass {
namespace {

using format::ExitKind;
using format::MemoryMode;
using format::Metric;
using tests::HeapScript;
using tests::stack_named;

TEST_CASE("heap: none where memory was not recorded") {
  tests::StackScript script;
  script.sample({"main"}, 1);
  CHECK_FALSE(script.profile().heap);
}

TEST_CASE("heap: totals, peak and leaks by stack") {
  HeapScript script;
  script.get(10, {"main", "parse"}, 0x1000, 100).get(20, {"main", "load"}, 0x2000, 1000);
  script.give(30, 0x1000).get(40, {"main", "parse"}, 0x3000, 300).give(50, 0x2000);
  const Profile profile = script.profile();
  const Heap& heap = *profile.heap;
  CHECK(heap.exact);
  CHECK(heap.allocations == 3);
  CHECK(heap.allocated_bytes == 1400);
  CHECK(heap.frees == 2);
  CHECK(heap.peak_bytes == 1300);
  CHECK(heap.peak_allocations == 2);
  CHECK(heap.peak_at_ns == Approx(40));
  CHECK(heap.leaked_bytes == 300);
  CHECK(heap.leaked_allocations == 1);
  CHECK(heap.live_bytes == 300);
  const HeapStack parse = stack_named(profile, "main;parse");
  CHECK(parse.allocations == 2);
  CHECK(parse.allocated_bytes == 400);
  CHECK(parse.frees == 1);
  CHECK(parse.peak_bytes == 300);
  CHECK(parse.own_peak_bytes == 300);
  CHECK(parse.leaked_bytes == 300);
  CHECK(stack_named(profile, "main;load").peak_bytes == 1000);
  CHECK(stack_named(profile, "main;load").leaked_bytes == 0);
  const std::uint32_t lifetime = format::bucket_of_ns_q8(20 << 8U);
  REQUIRE(parse.lifetimes.buckets.size() == 1);
  CHECK(parse.lifetimes.buckets[0].bucket == lifetime);
  CHECK(parse.sizes.count() == 2);
  REQUIRE(heap.processes.size() == 1);
  CHECK(heap.processes[0].peak_bytes == 1300);
  CHECK(heap.processes[0].leaked_bytes == 300);
}

TEST_CASE("heap: memory is a metric of tree and functions, and disturbs no other") {
  HeapScript script;
  script.call({"hook:main"}, 1, 1000);
  script.get(10, {"hook:main", "parse"}, 0x1000, 100).get(20, {"hook:main"}, 0x2000, 11);
  const Profile profile = script.profile();
  for (const Function& function : profile.functions) {
    const MemoryTallies& memory = function.metrics.memory;
    CHECK(function.metrics.wall_total_ns == Approx(function.name == "main" ? 1000 : 0));
    if (function.name == "main") {
      CHECK(memory.allocated_bytes.total == 111);
      CHECK(memory.allocated_bytes.self == 0);
      CHECK(memory.leaked_bytes.total == 111);
    } else if (function.name == "malloc") {
      CHECK(memory.allocated_bytes.self == 111);
      CHECK(memory.allocations.self == 2);
      CHECK(memory.peak_bytes.self == 111);
    }
  }
  CHECK(profile.uses.empty());
}

TEST_CASE("heap: temporary blocks are freed by their thread with at most one other in between") {
  HeapScript script;
  script.get(10, {"main", "quick"}, 0x1000, 8).give(11, 0x1000);
  script.get(20, {"main", "one"}, 0x1000, 8).get(21, {"main"}, 0x2000, 8).give(22, 0x1000);
  script.get(30, {"main", "two"}, 0x1000, 8).get(31, {"main"}, 0x3000, 8);
  script.get(32, {"main"}, 0x4000, 8).give(33, 0x1000);
  script.get(40, {"main", "handed over"}, 0x1000, 8).on(2).give(50, 0x1000);
  const Profile profile = script.profile();
  CHECK(profile.heap->temporary == 2);
  CHECK(stack_named(profile, "main;quick").temporary == 1);
  CHECK(stack_named(profile, "main;one").temporary == 1);
  CHECK(stack_named(profile, "main;two").temporary == 0);
  CHECK(stack_named(profile, "main;handed over").temporary == 0);
}

TEST_CASE("heap: frees find their allocation in whatever thread it was") {
  HeapScript script;
  script.get(10, {"main"}, 0x1000, 64).get(12, {"main"}, 0x2000, 64).give(14, 0x2000);
  script.on(2).give(20, 0x1000).get(30, {"worker"}, 0x1000, 10).give(40, 0x1000);
  const Profile profile = script.profile();
  const Heap& heap = *profile.heap;
  CHECK(heap.leaked_bytes == 0);
  CHECK(heap.unmatched_frees == 0);
  REQUIRE(heap.threads.size() == 2);
  CHECK(heap.threads[0].allocations == 2);
  CHECK(heap.threads[0].allocated_bytes == 128);
  CHECK(heap.threads[0].frees == 1);
  CHECK(heap.threads[0].frees_of_others == 0);
  CHECK(heap.threads[1].frees == 2);
  CHECK(heap.threads[1].frees_of_others == 1);
  CHECK(heap.threads[1].tid == 102);
}

TEST_CASE("heap: a free that comes late belongs to the block before") {
  HeapScript script;
  script.get(1000, {"main", "first"}, 0x1000, 64);
  script.on(2).get(5000, {"worker"}, 0x1000, 32);  // freed and given out again, in truth
  script.on(1).give(5500, 0x1000);                 // says thread 1's clock
  const Profile profile = script.profile();
  CHECK(profile.heap->late_frees == 1);
  CHECK(profile.heap->unmatched_frees == 0);
  CHECK(stack_named(profile, "main;first").frees == 1);
  CHECK(stack_named(profile, "main;first").leaked_bytes == 0);
  CHECK(stack_named(profile, "worker").leaked_bytes == 32);
  CHECK(profile.heap->peak_bytes == 64);

  SECTION("a later one does not") {
    script.give(9000, 0x1000);
    CHECK(stack_named(script.profile(), "worker").leaked_bytes == 0);
  }
}

TEST_CASE("heap: what comes long after an address was given out again is the new block's") {
  HeapScript script;
  script.get(1000, {"main", "first"}, 0x1000, 64);
  script.on(2).get(5000, {"worker"}, 0x1000, 32);
  script.on(1).give(50'000, 0x1000);
  const Profile profile = script.profile();
  CHECK(profile.heap->late_frees == 0);
  CHECK(profile.heap->leaked_bytes == 0);
}

TEST_CASE("heap: a block may be freed before its allocation arrives") {
  HeapScript script;
  script.get(1500, {"main"}, 0x1000, 64);
  script.on(2).give(1000, 0x1000);
  const Heap heap = script.heap();
  CHECK(heap.leaked_bytes == 0);
  CHECK(heap.unmatched_frees == 0);
  CHECK(heap.frees == 1);
}

TEST_CASE("heap: realloc chains") {
  HeapScript script;
  script.get(10, {"main"}, 0x1000, 10).move(20, {"main", "grow"}, 0x1000, 0x2000, 20);
  script.move(30, {"main", "grow"}, 0x2000, 0x2000, 40);  // in place
  script.move(40, {"main", "grow"}, 0x2000, 0x3000, 30).give(50, 0x3000);
  const Profile profile = script.profile();
  const Heap& heap = *profile.heap;
  CHECK(heap.allocations == 4);
  CHECK(heap.frees == 4);
  CHECK(heap.reallocations == 3);
  CHECK(heap.longest_chain == 3);
  CHECK(heap.moved_bytes == 10 + 30);
  CHECK(heap.leaked_bytes == 0);
  CHECK(stack_named(profile, "main;grow").reallocations == 3);
}

TEST_CASE("heap: a forked child begins with nothing, its parent's blocks stay its parent's") {
  HeapScript script;
  script.get(10, {"main"}, 0x1000, 64).get(11, {"main"}, 0x2000, 32);
  script.give(2000, 0x2000).give(3000, 0x1000);
  script.fork(2, 7, 5000, ExitKind::kExited);
  script.give(1000, 0x1000).get(1100, {"child"}, 0x1000, 5);
  const Profile profile = script.profile();
  const Heap& heap = *profile.heap;
  CHECK(heap.unmatched_frees == 1);
  CHECK(heap.inherited_frees == 1);
  CHECK(heap.leaked_bytes == 5);
  REQUIRE(heap.processes.size() == 2);
  CHECK(heap.processes[0].leaked_bytes == 0);
  CHECK(heap.processes[1].leaked_bytes == 5);
  CHECK(heap.processes[1].pid == 102);
  CHECK(heap.peak_bytes == 96 + 5);  // both at once
}

TEST_CASE("heap: an exec ends a heap without leaks") {
  HeapScript script;
  script.fork(2, 7, 5000, ExitKind::kExeced);
  script.get(10, {"shell"}, 0x1000, 64);
  script.fork(3, 8, 9000, ExitKind::kExited, false);
  script.give(6000, 0x1000).get(7000, {"program"}, 0x1000, 7);
  const Heap heap = script.heap();
  CHECK(heap.leaked_bytes == 7);
  CHECK(heap.execed_bytes == 64);
  CHECK(heap.unmatched_frees == 1);
  CHECK(heap.inherited_frees == 0);
  CHECK(heap.peak_bytes == 64);
}

TEST_CASE("heap: mappings are kept apart, and go in parts") {
  HeapScript script;
  script.map(10, {"main", "arena"}, 0x10000, 0x4000).get(20, {"main"}, 0x500, 1);
  script.unmap(30, 0x11000, 0x1000);                   // out of the middle
  script.map(40, {"main", "other"}, 0x20000, 0x2000);  // 0x5000 in all
  script.unmap(50, 0x13000, 0xE000);                   // the end of one, the begin of the other
  script.map(60, {"main", "fixed"}, 0x10000, 0x1000);  // over what is there
  const Profile profile = script.profile();
  const Heap& heap = *profile.heap;
  CHECK(heap.allocations == 1);
  CHECK(heap.peak_bytes == 1);
  CHECK(heap.maps == 3);
  CHECK(heap.mapped_bytes == 0x7000);
  CHECK(heap.mapped_peak_bytes == 0x5000);
  CHECK(heap.mapped_live_bytes == 0x1000 + 0x1000 + 0x1000);
  REQUIRE(heap.map_stacks.size() == 3);
  CHECK(heap.stacks.size() == 1);
}

TEST_CASE("heap: the inventory at a moment") {
  HeapScript script;
  script.get(10, {"main", "a"}, 0x1000, 100).get(20, {"main", "b"}, 0x2000, 50);
  script.give(30, 0x1000).get(40, {"main", "b"}, 0x3000, 500);
  ProfileOptions options;
  options.heap_at_ns = 25;
  const Profile profile = script.profile(options);
  CHECK(profile.heap->live_bytes == 150);
  CHECK(profile.heap->live_at_ns == Approx(25));
  CHECK(stack_named(profile, "main;a").live_bytes == 100);
  CHECK(stack_named(profile, "main;b").live_bytes == 50);
  CHECK(profile.heap->leaked_bytes == 550);
}

TEST_CASE("heap: a range limits what is counted, not what is known") {
  HeapScript script;
  script.get(10, {"main", "early"}, 0x1000, 1000).get(11, {"main", "early"}, 0x2000, 10);
  script.give(20, 0x2000);
  script.get(110, {"main", "inside"}, 0x3000, 64).give(120, 0x1000);
  script.get(130, {"main", "inside"}, 0x4000, 32).give(150, 0x3000);
  script.get(300, {"main", "late"}, 0x5000, 5000).give(310, 0x5000).give(320, 0x4000);
  ProfileOptions options;
  options.range = TimeRange{100, 200};
  const Profile profile = script.profile(options);
  const Heap& heap = *profile.heap;
  CHECK(heap.allocations == 2);
  CHECK(heap.allocated_bytes == 96);
  CHECK(heap.frees == 2);
  CHECK(heap.unmatched_frees == 0);
  CHECK(heap.peak_bytes == 1064);
  CHECK(stack_named(profile, "main;early").peak_bytes == 1000);
  CHECK(stack_named(profile, "main;early").allocations == 0);
  CHECK(heap.leaked_bytes == 0);
  CHECK(heap.timeline.back().live_bytes == 32);
}

TEST_CASE("heap: where records were lost, what nodes counted is still exact") {
  HeapScript script;
  script.get(10, {"main"}, 0x1000, 100).give(20, 0x1000).lose_allocations(3);
  const std::uint32_t node = script.node_of({"main"}, {"malloc"});
  script.metric(node, Metric::kAllocations, 3).metric(node, Metric::kAllocatedBytes, 420);
  script.metric(node, Metric::kErrors, 2);
  script.metric(script.node_of({}, {"free"}), Metric::kFrees, 2);
  const Profile profile = script.profile();
  const Heap& heap = *profile.heap;
  CHECK_FALSE(heap.exact);
  CHECK(heap.lost_records == 3);
  CHECK(heap.allocations == 3);
  CHECK(heap.allocated_bytes == 420);
  CHECK(heap.frees == 2);
  CHECK(heap.failed == 2);
  CHECK(stack_named(profile, "main").allocated_bytes == 420);
  CHECK(heap.threads.at(0).allocations == 3);
  CHECK(heap.processes.at(0).allocated_bytes == 420);
}

TEST_CASE("heap: over time, beside what was resident") {
  HeapScript script;
  constexpr std::uint64_t kStep = tests::StackScript::kLengthNs / 100;
  script.get(kStep / 2, {"main"}, 0x1000, 1000).get(kStep * 3 / 2, {"main"}, 0x2000, 500);
  script.give(kStep * 5 / 2, 0x1000);
  script.resident(kStep / 2, 4096).resident(kStep * 3 / 2, 8192);
  const Heap heap = script.heap();
  REQUIRE(heap.timeline.size() == 100);
  CHECK(heap.timeline[0].live_bytes == 1000);
  CHECK(heap.timeline[0].allocations == 1);
  CHECK(heap.timeline[0].resident_bytes == 4096);
  CHECK(heap.timeline[1].live_bytes == 1500);
  CHECK(heap.timeline[1].allocated_bytes == 500);
  CHECK(heap.timeline[1].resident_bytes == 8192);
  CHECK(heap.timeline[2].live_bytes == 500);
  CHECK(heap.timeline[99].live_bytes == 500);
  CHECK(heap.timeline[98].resident_bytes == 8192);
  CHECK(heap.timeline[99].at_ns == Approx(1e10));
}

TEST_CASE("heap: leaks that were suppressed, or are by design, stand apart") {
  HeapScript script;
  script.get(10, {"main", "known_leak"}, 0x1000, 100).get(11, {"main", "leak"}, 0x2000, 10);
  script.get(12, {"main", "libc.so.6!puts", "libc.so.6!_IO_file_doallocate"}, 0x3000, 1024);
  script.get(13, {"main", "libc.so.6!setlocale", "callback"}, 0x4000, 7);
  ProfileOptions options;
  options.suppressions = {"known_*"};
  const Profile profile = script.profile(options);
  const Heap& heap = *profile.heap;
  CHECK(heap.leaked_bytes == 17);
  CHECK(heap.suppressed_bytes == 1124);
  CHECK(heap.suppressed_allocations == 2);
  REQUIRE(heap.suppressions.size() == 2);
  CHECK(heap.suppressions[0].pattern == "known_*");
  CHECK(heap.suppressions[0].bytes == 100);
  CHECK(heap.suppressions[1].by_design);
  CHECK(stack_named(profile, "main;known_leak").suppression == 1);
  CHECK(stack_named(profile, "main;leak").suppression == 0);
  CHECK(heap.processes.at(0).leaked_bytes == 17);
  CHECK(heap.processes.at(0).leaked_allocations == 2);
}

}  // namespace
}  // namespace spyglass
