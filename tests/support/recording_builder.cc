// SPDX-License-Identifier: Apache-2.0
#include "tests/support/recording_builder.h"

#include "format/allocation_codec.h"
#include "format/block.h"
#include "format/bytes.h"
#include "format/compression.h"
#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "format/span_codec.h"
#include "format/table_codec.h"

namespace spyglass::tests {

using format::BlockKind;
using format::Codec;

RecordingBuilder::RecordingBuilder() {
  const format::FileHeader header = format::seal_file_header(kTestUuid, 1'700'000'000'000'000'000);
  seed_ = format::block_seed(header);
  format::ByteWriter(bytes_).fixed(header);
}

RecordingBuilder& RecordingBuilder::block(BlockKind kind, const std::vector<std::uint8_t>& raw,
                                          std::uint32_t records, std::uint32_t thread,
                                          std::uint64_t first_ticks, std::uint64_t last_ticks) {
  index_.push_back({bytes_.size(), first_ticks, last_ticks, thread, records, kind, {}});
  format::Compressor compressor;
  std::vector<std::uint8_t> stored;
  const Codec codec = compressor.compress(raw, codec_, stored);
  format::seal_block({kind, codec, static_cast<std::uint32_t>(raw.size()), sequence_++, thread,
                      records, first_ticks, last_ticks},
                     stored, seed_, bytes_);
  return *this;
}

namespace {

template <typename Encode, typename Records>
std::vector<std::uint8_t> encoded(Encode encode, const Records& records) {
  std::vector<std::uint8_t> raw;
  encode(records, raw);
  return raw;
}

std::uint32_t size32(const auto& records) { return static_cast<std::uint32_t>(records.size()); }

}  // namespace

RecordingBuilder& RecordingBuilder::session(const format::SessionInfo& session) {
  return block(BlockKind::kSession, encoded(format::encode_session, session), 1);
}
RecordingBuilder& RecordingBuilder::processes(const std::vector<format::ProcessRecord>& records) {
  return block(BlockKind::kProcesses, encoded(format::encode_processes, records), size32(records));
}
RecordingBuilder& RecordingBuilder::threads(const std::vector<format::ThreadRecord>& records) {
  return block(BlockKind::kThreads, encoded(format::encode_threads, records), size32(records));
}
RecordingBuilder& RecordingBuilder::modules(const std::vector<format::ModuleInfo>& records) {
  return block(BlockKind::kModules, encoded(format::encode_modules, records), size32(records));
}
RecordingBuilder& RecordingBuilder::sites(const std::vector<format::SiteRecord>& records) {
  return block(BlockKind::kSites, encoded(format::encode_sites, records), size32(records));
}
RecordingBuilder& RecordingBuilder::nodes(const std::vector<format::NodeRecord>& records) {
  return block(BlockKind::kNodes, encoded(format::encode_nodes, records), size32(records));
}
RecordingBuilder& RecordingBuilder::counters(const std::vector<format::CounterRow>& rows,
                                             std::uint64_t first_ticks, std::uint64_t last_ticks) {
  return block(BlockKind::kCounters, encoded(format::encode_counters, rows), size32(rows), 0,
               first_ticks, last_ticks);
}
RecordingBuilder& RecordingBuilder::objects(const std::vector<format::ObjectInfo>& records) {
  return block(BlockKind::kObjects, encoded(format::encode_objects, records), size32(records));
}
RecordingBuilder& RecordingBuilder::metrics(const std::vector<format::MetricRow>& rows,
                                            std::uint64_t first_ticks, std::uint64_t last_ticks) {
  return block(BlockKind::kMetrics, encoded(format::encode_metrics, rows), size32(rows), 0,
               first_ticks, last_ticks);
}
RecordingBuilder& RecordingBuilder::events(std::uint32_t thread,
                                           const std::vector<format::EventRecord>& events) {
  std::uint64_t first = ~std::uint64_t{0};
  std::uint64_t last = 0;
  for (const format::EventRecord& event : events) {
    first = std::min(first, event.start_ticks);
    last = std::max(last, event.start_ticks + event.duration_ticks);
  }
  return block(BlockKind::kEvents, encoded(format::encode_events, events), size32(events), thread,
               first, last);
}
RecordingBuilder& RecordingBuilder::spans(std::uint32_t thread,
                                          const std::vector<format::SpanRecord>& spans) {
  std::uint64_t first = ~std::uint64_t{0};
  std::uint64_t last = 0;
  for (const format::SpanRecord& span : spans) {
    first = std::min(first, span.start_ticks);
    last = std::max(last, span.start_ticks + span.duration_ticks);
  }
  return block(BlockKind::kSpans, encoded(format::encode_spans, spans), size32(spans), thread,
               first, last);
}
RecordingBuilder& RecordingBuilder::allocations(
    std::uint32_t thread, const std::vector<format::AllocationRecord>& records) {
  return block(BlockKind::kAllocations, encoded(format::encode_allocations, records),
               size32(records), thread, records.front().ticks, records.back().ticks);
}
RecordingBuilder& RecordingBuilder::resident(const std::vector<format::ResidentRecord>& records) {
  return block(BlockKind::kResident, encoded(format::encode_resident, records), size32(records), 0,
               records.front().ticks, records.back().ticks);
}
RecordingBuilder& RecordingBuilder::open_calls(const std::vector<format::OpenCall>& calls) {
  const std::uint64_t at = calls.empty() ? 0 : calls.front().ticks;
  return block(BlockKind::kOpenCalls, encoded(format::encode_open_calls, calls), size32(calls), 0,
               at, at);
}
RecordingBuilder& RecordingBuilder::losses(const std::vector<format::LossRecord>& records) {
  return block(BlockKind::kLosses, encoded(format::encode_losses, records), size32(records));
}
RecordingBuilder& RecordingBuilder::symbols(const std::vector<format::SymbolRecord>& records) {
  return block(BlockKind::kSymbols, encoded(format::encode_symbols, records), size32(records));
}
RecordingBuilder& RecordingBuilder::end(const format::EndInfo& end) {
  return block(BlockKind::kEnd, encoded(format::encode_end, end), 1, 0, end.end.ticks,
               end.end.ticks);
}

RecordingBuilder& RecordingBuilder::compress_with(Codec codec) {
  codec_ = codec;
  return *this;
}

RecordingBuilder& RecordingBuilder::lose_block() {
  ++sequence_;
  return *this;
}

RecordingBuilder& RecordingBuilder::finish() {
  const std::uint64_t index_offset = bytes_.size();
  const std::vector<format::IndexEntry> entries = index_;
  block(BlockKind::kIndex, encoded(format::encode_index, entries), size32(entries));
  format::ByteWriter(bytes_).fixed(format::seal_footer(index_offset, sequence_, seed_));
  return *this;
}

std::vector<std::uint64_t> RecordingBuilder::block_offsets() const {
  std::vector<std::uint64_t> offsets;
  for (const format::IndexEntry& entry : index_) {
    offsets.push_back(entry.offset);
  }
  const auto last = format::check_block_header(std::span(bytes_).subspan(offsets.back()), seed_);
  offsets.push_back(offsets.back() + format::block_bytes(*last));
  return offsets;
}

RecordingBuilder sample_recording(Codec codec) {
  format::SessionInfo session;
  session.command = {"./sample", "--fast"};
  session.working_directory = "/home/user";
  session.host = "host";
  session.kernel = "Linux 6.1.0";
  session.version = "0.1.0";
  session.processors = 2;
  session.start = {1'000'000, 5'000'000'000, 1'700'000'000'000'000'000};
  session.ns_per_tick_q60 = std::uint64_t{1} << 59U;  // 2 ticks are 1 ns
  session.interval_ns = 100'000'000;
  session.on_full = "block";
  session.cpu_clock = "exact";
  session.sampler = "timer";
  session.sampler_reason = "perf_event_open: not permitted";
  session.sample_interval_ns = 1'000'000;

  format::ProcessRecord parent;
  parent.id = 1;
  parent.pid = 100;
  parent.ppid = 99;
  parent.command = session.command;
  parent.executable = "/home/user/sample";
  parent.start_ticks = 1'000'100;
  parent.end_ticks = 1'400'000;
  parent.exit = format::ExitKind::kExited;
  format::ProcessRecord child = parent;
  child.id = 2;
  child.pid = 101;
  child.ppid = 100;
  child.parent = 1;
  child.start_ticks = 1'100'000;
  child.end_ticks = 1'200'000;
  child.exit = format::ExitKind::kSignaled;
  child.exit_value = 9;
  child.forked = true;

  std::vector<format::ThreadRecord> threads(3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    threads[i].id = i + 1;
    threads[i].process = i == 2 ? 2 : 1;
    threads[i].tid = i == 2 ? 101 : 100 + 10 * i;
    threads[i].name = i == 1 ? "worker" : "sample";
    threads[i].birth_ticks = 1'000'200 + 1000 * i;
    threads[i].exit_ticks = 1'390'000;
    threads[i].cpu_ns = 150'000;
    threads[i].cpu_accuracy = format::CpuAccuracy::kExact;
    threads[i].runnable_ns = 1000 * i;
  }

  const std::vector<format::SpanRecord> main_spans = {
      {1'002'100, 20, 4}, {1'002'130, 30, 4}, {1'002'000, 200, 3}, {1'001'000, 300'000, 2}};
  const std::vector<format::SpanRecord> worker_spans = {{1'002'110, 40, 4}, {1'002'050, 150, 3}};
  std::vector<format::CounterRow> rows(5);
  for (std::uint32_t i = 0; i < 3; ++i) {
    rows[i].thread = 1;
    rows[i].node = 2 + i;
  }
  for (std::uint32_t i = 3; i < 5; ++i) {  // a read below an instruction, and its file
    rows[i].thread = 1;
    rows[i].node = 3 + i;
    rows[i].calls = 1;
    rows[i].wall_ticks = rows[i].min_ticks = rows[i].max_ticks = 60;
    rows[i].off_cpu_ticks = i == 4 ? 50 : 0;
    rows[i].buckets = {{19, 1}};
  }
  rows[0].calls = 1;
  rows[0].wall_ticks = rows[0].min_ticks = rows[0].max_ticks = 300'000;
  rows[0].off_cpu_ticks = 1000;
  rows[0].buckets = {{68, 1}};
  rows[1].calls = 1;
  rows[1].wall_ticks = rows[1].min_ticks = rows[1].max_ticks = 200;
  rows[1].buckets = {{26, 1}};
  rows[2].calls = 2;
  rows[2].wall_ticks = 50;
  rows[2].min_ticks = 20;
  rows[2].max_ticks = 30;
  rows[2].buckets = {{13, 1}, {15, 1}};
  format::OpenCall open;
  open.thread = 3;
  open.node = 3;
  open.start_ticks = 1'150'000;
  open.ticks = 1'200'000;
  open.final = true;
  format::EndInfo end;
  end.end = {1'500'000, 5'000'250'000, 1'700'000'000'000'250'000};
  end.coverage = {{"/usr/bin/tool", "static program"}};

  RecordingBuilder builder;
  builder.compress_with(codec)
      .session(session)
      .processes({parent, child})
      .threads(threads)
      .modules({{1, "/home/user/sample", {0xab, 0xcd}}})
      .sites(
          {{1, 1, 0x1000},
           {2, 1, 0x1100},
           {3, 1, 0x1200},
           {4, 1, 0x1310 | format::kPcSite},
           {5, 0, format::kOperationSite | static_cast<std::uint64_t>(format::Operation::k_read)},
           {6, 0, format::kObjectSite | 1}})
      .nodes({{1, 0, 0}, {2, 1, 1}, {3, 2, 2}, {4, 3, 3}, {5, 3, 4}, {6, 5, 5}, {7, 6, 6}})
      .objects({{1, format::ObjectKind::kFile, "/home/user/data", 0}})
      .spans(1, main_spans)
      .spans(2, worker_spans)
      .counters(rows, 1'000'000, 1'500'000)
      .metrics({{1, 5, format::Metric::kSamples, 2}, {1, 7, format::Metric::kBytes, 512}},
               1'000'000, 1'500'000)
      .events(1, {{1'002'010, 0, format::EventKind::kSample, 5, 0, 0, 1, ""},
                  {1'002'020, 0, format::EventKind::kSample, 5, 0, 0, 1, ""}})
      .open_calls({open})
      .losses({{format::LossKind::kSpans, 3, 2, "ring full"}})
      .symbols({{1, {{"main", "sample.c", 30, false}}},
                {2, {{"_Z4workv", "sample.c", 20, false}}},
                {3, {{"leaf", "sample.c", 10, false}}},
                {4, {{"fill", "sample.c", 5, true, 6}, {"load", "sample.c", 8, false, 9}}}})
      .end(end);
  return builder;
}

}  // namespace spyglass::tests
