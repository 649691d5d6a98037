// SPDX-License-Identifier: Apache-2.0
// sgz.h - the frame of a recording: file header, block header, footer.
//
//   file := FileHeader block* index? Footer?        block := BlockHeader payload padding(0..7)
//
// Every block stands alone: it can be found (magic on an 8-byte boundary), trusted (two checksums)
// and decoded without any other. All numbers are little-endian. docs/format.md is the
// specification.
#pragma once

#include <cstddef>
#include <cstdint>

namespace spyglass::format {

inline constexpr std::uint8_t kFileMagic[8] = {'S', 'G', 'Z', '\r', '\n', 0x1a, '\n', 0};
inline constexpr std::uint16_t kFormatMajor = 1;  // a reader refuses another major
inline constexpr std::uint16_t kFormatMinor = 2;  // grows when kinds or fields are added

struct FileHeader {
  std::uint8_t magic[8];
  std::uint16_t major;
  std::uint16_t minor;
  std::uint32_t header_bytes;  // 64; blocks begin here
  std::uint8_t uuid[16];
  std::uint64_t started_unix_ns;  // CLOCK_REALTIME
  std::uint64_t reserved[2];
  std::uint64_t checksum;  // XXH3-64 of the 56 bytes before it
};
static_assert(sizeof(FileHeader) == 64);

inline constexpr std::uint32_t kBlockMagic = 0x425a4753;  // "SGZB"

enum class BlockKind : std::uint8_t {
  kSession = 1,  // SessionInfo: what was run, where, with which settings
  kProcesses =
      2,          // ProcessRecord...: births and ends; a later record of an id replaces the earlier
  kThreads = 3,   // ThreadRecord...: likewise
  kModules = 4,   // ModuleInfo...
  kSites = 5,     // SiteRecord...: functions by (module, offset)
  kNodes = 6,     // NodeRecord...: calling contexts by (parent, site)
  kCounters = 7,  // CounterRow...: what nodes counted since the last snapshot
  kSpans = 8,     // SpanRecord... of one thread, by end time
  kOpenCalls = 9,     // OpenCall...: calls that had not returned
  kLosses = 10,       // LossRecord...: what was not kept
  kSymbols = 11,      // SymbolRecord...: names of sites
  kEnd = 12,          // EndInfo: the session ended in order
  kIndex = 13,        // IndexEntry of every block before it
  kObjects = 14,      // ObjectInfo...: what operations acted on
  kMetrics = 15,      // MetricRow...: what nodes counted besides, since the last snapshot
  kEvents = 16,       // EventRecord... of one thread, by end time
  kAllocations = 17,  // AllocationRecord... of one thread, by time
  kResident = 18,     // ResidentRecord..., by time
};

enum class Codec : std::uint8_t { kNone = 0, kLz4 = 1, kZstd = 2 };

struct BlockHeader {
  std::uint32_t magic;
  BlockKind kind;
  Codec codec;
  std::uint16_t flags;         // 0
  std::uint32_t raw_bytes;     // payload after decompression
  std::uint32_t stored_bytes;  // payload as stored, without padding
  std::uint64_t sequence;      // 0, 1, 2 ... over the file: a gap is a lost block
  std::uint32_t thread;        // thread id of kSpans, kEvents and kAllocations blocks, else 0
  std::uint32_t records;       // how many records the payload holds
  std::uint64_t first_ticks;   // time range that the records cover
  std::uint64_t last_ticks;
  std::uint64_t payload_checksum;  // XXH3-64 of the stored payload
  std::uint64_t
      header_checksum;  // XXH3-64 of the 56 bytes before it, seeded with the uuid's first 8
};
static_assert(sizeof(BlockHeader) == 64);

struct IndexEntry {
  std::uint64_t offset;  // of the BlockHeader in the file
  std::uint64_t first_ticks;
  std::uint64_t last_ticks;
  std::uint32_t thread;
  std::uint32_t records;
  BlockKind kind;
  std::uint8_t reserved[7];
};
static_assert(sizeof(IndexEntry) == 40);

struct Footer {
  std::uint8_t magic[8];       // kFileMagic again
  std::uint64_t index_offset;  // of the index block's BlockHeader
  std::uint64_t blocks;        // blocks in the file, the index included
  std::uint64_t checksum;      // XXH3-64 of the 24 bytes before it, seeded like blocks
};
static_assert(sizeof(Footer) == 32);

inline constexpr std::uint32_t kMaxRawBytes = 16U << 20U;  // a block that declares more is damaged

}  // namespace spyglass::format
