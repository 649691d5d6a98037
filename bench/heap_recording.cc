// SPDX-License-Identifier: Apache-2.0
//
// Writes a recording of a made-up program's heap: four threads, 1000 stacks, many short lives and a
// steady number of live blocks, one in eight freed by another thread than allocated it.
//
// usage: heap_recording EVENTS LIVE_BLOCKS FILE
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "tests/support/recording_builder.h"

namespace {

using namespace spyglass;  // NOLINT: this file is about nothing else
using format::AllocationKind;
using tests::RecordingBuilder;

constexpr std::uint32_t kThreads = 4;
constexpr std::uint32_t kStacks = 1000;
constexpr std::size_t kBlockRecords = 16'384;
constexpr std::uint64_t kStart = 1'000'000;

std::uint64_t operation_site(format::Operation operation) {
  return format::kOperationSite | static_cast<std::uint64_t>(operation);
}

// Site and node 2 + i are stack i's function, node 2 + kStacks + i is malloc below it.
void describe(RecordingBuilder& recording) {
  format::SessionInfo session;
  session.command = {"./made-up"};
  session.start = {kStart, 0, 0};
  session.ns_per_tick_q60 = std::uint64_t{1} << 60U;
  session.memory = format::MemoryMode::kFull;
  format::ProcessRecord process;
  process.id = 1;
  process.pid = 100;
  process.start_ticks = kStart;
  std::vector<format::ThreadRecord> threads(kThreads);
  for (std::uint32_t i = 0; i < kThreads; ++i) {
    threads[i].id = i + 1;
    threads[i].process = 1;
    threads[i].tid = 100 + i;
    threads[i].birth_ticks = kStart;
  }
  std::vector<format::SiteRecord> sites = {{1, 0, operation_site(format::Operation::k_malloc)},
                                           {2, 0, operation_site(format::Operation::k_free)}};
  std::vector<format::NodeRecord> nodes = {{1, 0, 0}, {2, 1, 2}};
  std::vector<format::SymbolRecord> symbols;
  for (std::uint32_t i = 0; i < kStacks; ++i) {
    sites.push_back({3 + i, 1, (0x1000 + 16 * i) | format::kPcSite});
    symbols.push_back({3 + i, {{"function" + std::to_string(i), "made-up.c", i + 1, false, 0}}});
    nodes.push_back({3 + 2 * i, i == 0 ? 1 : 3 + 2 * ((i - 1) / 4), 3 + i});
    nodes.push_back({4 + 2 * i, 3 + 2 * i, 1});
  }
  recording.session(session).processes({process}).threads(threads);
  recording.modules({{1, "/bin/made-up", {1}}}).sites(sites).nodes(nodes).symbols(symbols);
}

struct Block {
  std::uint64_t address = 0;
  std::uint32_t thread = 0;
};

class Heap {
 public:
  Heap(RecordingBuilder& recording, std::size_t live) : recording_(recording), live_(live) {}

  void step(std::uint64_t ticks) {
    const auto thread = static_cast<std::uint32_t>(random_() % kThreads);
    Block& block = live_[random_() % live_.size()];
    if (block.address == 0) {
      allocate(block, thread, ticks);
    } else {
      const bool other = random_() % 8 == 0;
      add(other ? thread : block.thread, {ticks, AllocationKind::kFree, 2, block.address, 0});
      free_.push_back(block.address);
      block.address = 0;
    }
  }
  void flush() {
    for (std::uint32_t i = 0; i < kThreads; ++i) {
      if (!records_[i].empty()) recording_.allocations(i + 1, records_[i]);
      records_[i].clear();
    }
  }

 private:
  void allocate(Block& block, std::uint32_t thread, std::uint64_t ticks) {
    const bool reused = !free_.empty();
    block = {reused ? free_.back() : next_, thread};
    if (reused) free_.pop_back();
    next_ += reused ? 0 : 64;
    const auto stack = static_cast<std::uint32_t>(random_() % kStacks);
    add(thread, {ticks, AllocationKind::kAllocate, 4 + 2 * stack, block.address,
                 16 + 8 * (stack % 7) + (random_() % 4 == 0 ? random_() % 4096 : 0)});
  }
  void add(std::uint32_t thread, const format::AllocationRecord& record) {
    records_[thread].push_back(record);
    if (records_[thread].size() == kBlockRecords) {
      recording_.allocations(thread + 1, records_[thread]);
      records_[thread].clear();
    }
  }

  RecordingBuilder& recording_;
  std::vector<Block> live_;
  std::vector<std::uint64_t> free_;
  std::vector<format::AllocationRecord> records_[kThreads];
  std::mt19937_64 random_{1};
  std::uint64_t next_ = 0x5555'0000'0000;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: heap_recording EVENTS LIVE_BLOCKS FILE\n");
    return 2;
  }
  const std::uint64_t events = std::strtoull(argv[1], nullptr, 10);
  RecordingBuilder recording;
  recording.compress_with(format::Codec::kLz4);
  describe(recording);
  Heap heap(recording, 2 * std::strtoull(argv[2], nullptr, 10));  // half of the places are used
  for (std::uint64_t i = 0; i < events; ++i) heap.step(kStart + 100 * i);
  heap.flush();
  format::EndInfo end;
  end.end = {kStart + 100 * events, 100 * events, 0};
  const std::vector<std::uint8_t>& bytes = recording.end(end).finish().bytes();
  std::ofstream file(argv[3], std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return file.good() ? 0 : 1;
}
