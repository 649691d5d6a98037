// SPDX-License-Identifier: Apache-2.0
// made_code.h - which instructions of a live process are code that it made at run time: of no file,
// in a mapping that it can execute.
//
//   Where    collector thread.
//   Memory   the ranges of each process that has such code.
//   Errors   of a process that is gone before it was looked at, all that is of no file, if it left
//            names for such code. Of one that gets new ranges faster than they may be looked at,
//            no.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "recorder/collector/node_interner.h"

namespace spyglass::collector {

class MadeCode {
 public:
  explicit MadeCode(NodeInterner& nodes) : nodes_(nodes) {}

  // The module that stands for all such code of the process, if the instruction at `pc` is of it; 0
  // if not. `process`: id of its record, `pid`: its number.
  std::uint32_t module_of(std::uint32_t process, std::uint32_t pid, std::uint64_t pc);

 private:
  struct Range {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
  };
  struct Process {
    std::vector<Range> ranges;
    std::int64_t next_look_ns = 0;
    std::uint32_t module = 0;
  };
  static Range* range_at(Process& process, std::uint64_t pc);
  static void look(Process& process, std::uint32_t pid);

  NodeInterner& nodes_;
  std::unordered_map<std::uint32_t, Process> processes_;  // by id
};

}  // namespace spyglass::collector
