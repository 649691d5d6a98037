// SPDX-License-Identifier: Apache-2.0
// recording_builder.h - small recordings in memory, for tests and as seeds of fuzzers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "format/records.h"
#include "format/sgz.h"

namespace spyglass::tests {

inline constexpr std::array<std::uint8_t, 16> kTestUuid = {
    0x53, 0x70, 0x79, 0x67, 0x6c, 0x61, 0x73, 0x73, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07};

class RecordingBuilder {
 public:
  RecordingBuilder();

  RecordingBuilder& session(const format::SessionInfo& session);
  RecordingBuilder& processes(const std::vector<format::ProcessRecord>& records);
  RecordingBuilder& threads(const std::vector<format::ThreadRecord>& records);
  RecordingBuilder& modules(const std::vector<format::ModuleInfo>& records);
  RecordingBuilder& sites(const std::vector<format::SiteRecord>& records);
  RecordingBuilder& nodes(const std::vector<format::NodeRecord>& records);
  RecordingBuilder& counters(const std::vector<format::CounterRow>& rows, std::uint64_t first_ticks,
                             std::uint64_t last_ticks);
  RecordingBuilder& spans(std::uint32_t thread, const std::vector<format::SpanRecord>& spans);
  RecordingBuilder& open_calls(const std::vector<format::OpenCall>& calls);
  RecordingBuilder& losses(const std::vector<format::LossRecord>& records);
  RecordingBuilder& symbols(const std::vector<format::SymbolRecord>& records);
  RecordingBuilder& objects(const std::vector<format::ObjectInfo>& records);
  RecordingBuilder& metrics(const std::vector<format::MetricRow>& rows, std::uint64_t first_ticks,
                            std::uint64_t last_ticks);
  RecordingBuilder& events(std::uint32_t thread, const std::vector<format::EventRecord>& events);
  RecordingBuilder& allocations(std::uint32_t thread,
                                const std::vector<format::AllocationRecord>& records);
  RecordingBuilder& resident(const std::vector<format::ResidentRecord>& records);
  RecordingBuilder& end(const format::EndInfo& end);
  // Any block, for instance of a kind that does not exist.
  RecordingBuilder& block(format::BlockKind kind, const std::vector<std::uint8_t>& raw,
                          std::uint32_t records, std::uint32_t thread = 0,
                          std::uint64_t first_ticks = 0, std::uint64_t last_ticks = 0);
  // Blocks from here on are compressed with this (where that makes them smaller).
  RecordingBuilder& compress_with(format::Codec codec);
  // The next block is written off: its number is used, its bytes are not there.
  RecordingBuilder& lose_block();
  // Index and footer.
  RecordingBuilder& finish();

  const std::vector<std::uint8_t>& bytes() const { return bytes_; }
  // Where each block begins, then where the last ends.
  std::vector<std::uint64_t> block_offsets() const;

 private:
  std::vector<std::uint8_t> bytes_;
  std::vector<format::IndexEntry> index_;
  format::Codec codec_ = format::Codec::kNone;
  std::uint64_t seed_ = 0;
  std::uint64_t sequence_ = 0;
};

// A recording with every kind of block: two processes, three threads, calls of main, work and leaf.
RecordingBuilder sample_recording(format::Codec codec = format::Codec::kNone);

}  // namespace spyglass::tests
