// SPDX-License-Identifier: Apache-2.0
// fake_target.h - a target made by hand: writes into an arena what a thread of a program would.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/reader/recording_tables.h"
#include "analyzer/reader/sgz_reader.h"
#include "format/allocation_codec.h"
#include "format/arena.h"
#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "format/span_codec.h"
#include "format/table_codec.h"
#include "recorder/collector/arena_owner.h"
#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/collector.h"

namespace spyglass::tests {

// One thread. Addresses are those of a target that mapped the arena elsewhere.
class FakeThread {
 public:
  static constexpr std::uint64_t kMappedAt = 0x7000'0000'0000;

  FakeThread(const collector::Arena& arena, std::uint32_t lane_index, std::uint32_t process_slot,
             std::uint32_t tid)
      : arena_(arena), index_(lane_index) {
    const format::ArenaGeometry& geometry = arena.geometry();
    slot_ = kMappedAt + geometry.lanes_offset + geometry.lane_bytes * lane_index;
    format::Lane& lane = this->lane();
    lane.process_slot = process_slot;
    lane.tid = tid;
    lane.cells = slot_ + geometry.lane_cells_offset;
    lane.newest_node = 0;
    lane.cells_used.store(4);
    lane.ring_head = lane.ring_tail.load();
    lane.birth_ticks = collector::now_ticks();
    lane.exit_ticks = 0;
    lane.pending_duration = format::pending_of(format::kRootCell, 0);
    std::strcpy(lane.name, "worker");
    format::Node& root = *node(format::kRootCell);
    root.min_ticks = ~std::uint64_t{0};
    top_ = geometry.stack_entries - 1;
    entry(top_).node = address_of(format::kRootCell);
    lane.top = slot_ + top_ * sizeof(format::Entry);
    lane.state.store(format::LaneState::kLive);
    if (arena.header().lanes_used.load() <= lane_index) {
      arena.header().lanes_used.store(lane_index + 1);
    }
  }

  format::Lane& lane() const { return arena_.lane(index_); }
  format::Node* node(std::uint32_t cell) const { return arena_.node(index_, cell); }
  std::uint64_t address_of(std::uint32_t cell) const { return lane().cells + cell * 64ULL; }

  std::uint32_t add_node(std::uint32_t parent, std::uint64_t address, std::uint32_t module = 0,
                         std::uint32_t mode = 0) {
    const std::uint32_t cell = lane().cells_used.fetch_add(2);
    format::Node& added = *node(cell);
    added.address = address;
    added.parent = parent;
    added.module = module;
    added.mode.store(mode);
    added.min_ticks = ~std::uint64_t{0};
    added.older = lane().newest_node;
    lane().newest_node = cell;
    return cell;
  }

  void open(std::uint32_t cell, std::uint64_t start_ticks) {
    --top_;
    format::Entry& opened = entry(top_);
    opened = {address_of(cell), start_ticks, 1, 0};
    lane().top = slot_ + top_ * sizeof(format::Entry);
  }

  // Counts a call as a hook would.
  void count(std::uint32_t cell, std::uint64_t duration_ticks, unsigned bucket) {
    format::Node& counted = *node(cell);
    counted.calls += 1;
    counted.total_ticks += duration_ticks;
    counted.min_ticks = std::min(counted.min_ticks, duration_ticks);
    counted.max_ticks = std::max(counted.max_ticks, duration_ticks);
    std::uint32_t& group = counted.histogram[bucket / format::kBucketsPerGroup];
    if (group == 0) {
      group = lane().cells_used.fetch_add(1);
    }
    auto* cells = reinterpret_cast<format::HistogramCell*>(arena_.cell(index_, group, 1));
    cells->count[bucket % format::kBucketsPerGroup] += 1;
  }

  void span(std::uint32_t cell, std::uint64_t start_ticks, std::uint64_t duration_ticks) {
    const std::uint64_t position = lane().ring_head++;
    if (duration_ticks > format::kRingDurationMask) {
      lane().ring_head += 1;
      write(position + 1, duration_ticks, word(format::RingKind::kContinuation, cell, 0));
      write(position, start_ticks, word(format::RingKind::kLongSpan, cell, 0));
      return;
    }
    write(position, start_ticks, word(format::RingKind::kSpan, cell, duration_ticks));
  }

  static std::uint64_t word(format::RingKind kind, std::uint64_t cell, std::uint64_t duration) {
    return static_cast<std::uint64_t>(kind) << format::kRingKindShift |
           cell << format::kRingNodeShift | duration;
  }

  void write(std::uint64_t position, std::uint64_t word0, std::uint64_t word1) {
    const std::uint64_t records = arena_.geometry().ring_records;
    std::uint64_t* record = arena_.ring(index_) + 2 * (position % records);
    record[0] = word0;
    record[1] = word1 | (position / records) << 63U;
  }

  format::Entry& entry(std::uint64_t index) const {
    return const_cast<format::Entry*>(arena_.stack(index_))[index];
  }

 private:
  const collector::Arena& arena_;
  std::uint32_t index_;
  std::uint64_t slot_ = 0;
  std::uint64_t top_ = 0;
};

// A session without processes of its own: arena, collector (turned by hand) and a temporary file.
class FakeSession {
 public:
  explicit FakeSession(collector::CollectorOptions chosen = {}, std::uint64_t ring_bytes = 4096)
      : options(std::move(chosen)), arena_result(make_arena(ring_bytes, options)) {
    options.interval_ns = 1'000'000;
    format::SessionInfo info;
    info.start = collector::sample_clocks();
    info.ns_per_tick_q60 = kRate;
    info.interval_ns = options.interval_ns;
    collector = std::make_unique<collector::Collector>(
        arena(), watch, std::move(*collector::SgzWriter::create(path, true, 1)), options, info);
  }
  ~FakeSession() { std::filesystem::remove(path); }

  collector::Arena& arena() { return *arena_result; }

  // A process that shook hands: ourselves, so that it is alive.
  std::uint32_t add_process(std::uint32_t pid = static_cast<std::uint32_t>(::getpid())) {
    collector::NewImage image;
    REQUIRE(arena().claim_process(image.slot));
    image.outer_pid = pid;
    image.ticks = collector::now_ticks();
    image.executable = "/bin/fake";
    image.command = {"fake", "1"};
    arena().process(image.slot).pid = pid;
    arena().process(image.slot).state.store(format::ProcessState::kLive);
    const std::uint32_t slot = image.slot;
    collector->post_image(image);
    return slot;
  }

  std::uint32_t add_module(const std::string& name, std::uint64_t bias, std::uint8_t id) {
    const std::uint64_t offset = arena().allocate_heap(sizeof(format::ModuleRecord) + name.size());
    auto* record = arena().module(static_cast<std::uint32_t>(offset / 64));
    record->bias = bias;
    record->name_bytes = static_cast<std::uint16_t>(name.size());
    record->build_id_bytes = 1;
    record->build_id[0] = id;
    std::memcpy(arena().heap().data() + offset + sizeof(*record), name.data(), name.size());
    return static_cast<std::uint32_t>(offset / 64);
  }

  void turn(int times = 3) {
    for (int time = 0; time < times; ++time) {
      collector->turn();
    }
  }

  static constexpr std::uint64_t kRate = std::uint64_t{1} << 59U;  // half a nanosecond a tick
  collector::CollectorOptions options;
  std::string path = "/tmp/spyglass-unit-" + std::to_string(::getpid()) + ".sgz";
  Result<collector::Arena> arena_result;
  collector::ProcessWatch watch;
  std::unique_ptr<collector::Collector> collector;

 private:
  static Result<collector::Arena> make_arena(std::uint64_t ring_bytes,
                                             const collector::CollectorOptions& options) {
    collector::ArenaSizes sizes;
    sizes.lane_count = 16;
    sizes.process_count = 16;
    sizes.ring_bytes = ring_bytes;
    sizes.tree_bytes = 64U << 10U;
    sizes.stack_entries = 4096;
    sizes.heap_bytes = 64U << 10U;
    format::RecordingOptions recording = {};
    recording.ns_per_tick_q60 = kRate;
    recording.on_full = options.on_full;
    return collector::Arena::create(sizes, recording);
  }
};

// What is in a recording.
struct Recorded {
  RecordingTables tables;
  std::vector<format::CounterRow> rows;
  std::vector<format::MetricRow> metrics;
  std::vector<std::pair<std::uint32_t, format::SpanRecord>> spans;    // thread, span
  std::vector<std::pair<std::uint32_t, format::EventRecord>> events;  // thread, event
  std::vector<format::AllocationRecord> allocations;
  std::vector<format::ResidentRecord> resident;
  std::vector<format::ObjectInfo> objects;
  std::vector<format::OpenCall> open_calls;
  bool damaged = false;
  bool has_footer = false;
};

// Decodes what belongs to one thread; adds it with the thread's id.
template <typename Record, typename Decode>
void take_records(const format::BlockHeader& header, const std::vector<std::uint8_t>& raw,
                  Decode decode, std::vector<std::pair<std::uint32_t, Record>>& into) {
  std::vector<Record> records;
  REQUIRE(decode(raw, header.records, records));
  for (Record& record : records) into.emplace_back(header.thread, std::move(record));
}

inline void take_block(const format::BlockHeader& header, const std::vector<std::uint8_t>& raw,
                       Recorded& recorded) {
  using format::BlockKind;
  if (header.kind == BlockKind::kCounters) {
    REQUIRE(format::decode_counters(raw, header.records, recorded.rows));
  } else if (header.kind == BlockKind::kMetrics) {
    REQUIRE(format::decode_metrics(raw, header.records, recorded.metrics));
  } else if (header.kind == BlockKind::kOpenCalls) {
    REQUIRE(format::decode_open_calls(raw, header.records, recorded.open_calls));
  } else if (header.kind == BlockKind::kSpans) {
    take_records(header, raw, format::decode_spans, recorded.spans);
  } else if (header.kind == BlockKind::kEvents) {
    take_records(header, raw, format::decode_events, recorded.events);
  } else if (header.kind == BlockKind::kAllocations) {
    const std::size_t before = recorded.allocations.size();
    REQUIRE(format::decode_allocations(raw, header.records, recorded.allocations));
    CHECK(std::ranges::is_sorted(std::span(recorded.allocations).subspan(before), {},
                                 &format::AllocationRecord::ticks));
  } else if (header.kind == BlockKind::kResident) {
    REQUIRE(format::decode_resident(raw, header.records, recorded.resident));
  } else if (header.kind == BlockKind::kObjects) {
    auto objects = format::decode_objects(raw);
    REQUIRE(objects);
    recorded.objects.insert(recorded.objects.end(), objects->begin(), objects->end());
  }
}

// Everything in the recording at `path`.
inline Recorded read_recording(const std::string& path) {
  Recorded recorded;
  Result<SgzReader> reader = SgzReader::open(path);
  REQUIRE(reader);
  recorded.tables = read_tables(*reader);
  reader->rewind();
  BlockView block;
  std::vector<std::uint8_t> raw;
  while (reader->next(block)) {
    REQUIRE(reader->payload(block, raw));
    take_block(block.header, raw, recorded);
  }
  recorded.damaged = !reader->damage().empty();
  recorded.has_footer = reader->has_footer();
  return recorded;
}

// Likewise, of one that nothing is wrong with.
inline Recorded read_whole_recording(const std::string& path) {
  Recorded recorded = read_recording(path);
  REQUIRE_FALSE(recorded.damaged);
  return recorded;
}

}  // namespace spyglass::tests
