// SPDX-License-Identifier: Apache-2.0
// remote_unwind.h - the stacks that the rules of recorder/unwind can't express, followed by
// libunwind. The one use of it.
//
//   Where    collector.
//   Threads  one at a time.
//   Errors   the frames up to where it could not go on.
#pragma once

#include <cstdint>
#include <vector>

#include "recorder/collector/perf_records.h"
#include "recorder/unwind/cfi.h"

namespace spyglass::collector {

// What libunwind reads. `value` and `tables` are of the sampled process.
class StackMemory {
 public:
  virtual ~StackMemory() = default;
  virtual bool read(std::uint64_t address, std::uint64_t& value) const = 0;
  // The tables of the file that holds `pc`; false: none.
  virtual bool find_tables(std::uint64_t pc, unwind::Tables& tables, std::uint64_t& bias) const = 0;
};

struct RemoteFrame {
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
  bool after_call = false;
};

struct RemoteStack {
  std::vector<RemoteFrame> frames;  // innermost first
  bool whole = false;               // reached the stack's end
};

RemoteStack unwind_remotely(const PerfRegisters& registers, const StackMemory& memory,
                            std::size_t max_frames);

}  // namespace spyglass::collector
