// SPDX-License-Identifier: Apache-2.0
// perf_records.h - what the kernel writes into the rings of perf events opened by perf_events.h,
// decoded.
//
//   Where    collector.
//   Memory   stacks and names point into the record.
//   Errors   a record that is too short for what it says is a PerfNothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

namespace spyglass::collector {

// Places in PerfSample::registers: ascending bits of kPerfRegisters, as the kernel writes them.
enum PerfRegister : unsigned {
  kRax,
  kRbx,
  kRcx,
  kRdx,
  kRsi,
  kRdi,
  kRbp,
  kRsp,
  kRip,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kPerfRegisterCount
};
inline constexpr std::uint64_t kPerfRegisters = 0xff01ff;  // perf_event_attr.sample_regs_user
using PerfRegisters = std::array<std::uint64_t, kPerfRegisterCount>;

struct PerfNothing {};  // of no interest, or damaged

struct PerfSample {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint64_t ip = 0;
  bool has_registers = false;  // false: 32-bit code; then only ip is known
  PerfRegisters registers = {};
  std::span<const std::uint8_t> stack;  // from rsp on
};

// Executable memory was mapped.
struct PerfMapping {
  std::uint32_t pid = 0;
  std::uint64_t start = 0;
  std::uint64_t bytes = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t inode = 0;  // 0: unknown
  std::span<const std::uint8_t> build_id;
  std::string_view path;  // "//anon" and the like where there is no file
};

struct PerfName {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  bool exec = false;
  std::string_view name;
};

struct PerfFork {
  std::uint32_t pid = 0;
  std::uint32_t parent_pid = 0;  // equal to pid: a thread
  std::uint32_t tid = 0;
};

struct PerfExit {
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
};

struct PerfLost {
  std::uint64_t records = 0;
};

struct PerfThrottle {};

struct PerfRecord {
  std::uint64_t time_ns = 0;  // CLOCK_MONOTONIC
  std::variant<PerfNothing, PerfSample, PerfMapping, PerfName, PerfFork, PerfExit, PerfLost,
               PerfThrottle>
      content;
};

// `bytes`: one whole record, its header included.
PerfRecord parse_perf_record(std::span<const std::uint8_t> bytes);

// Only its time, for merging rings; 0: none.
std::uint64_t perf_record_time(std::span<const std::uint8_t> bytes);

}  // namespace spyglass::collector
