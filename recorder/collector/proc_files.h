// SPDX-License-Identifier: Apache-2.0
// proc_files.h - what /proc says about a process or thread.
//
//   Where    collector. Bounded reads; the process may be gone at any time.
//   Errors   empty or nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace spyglass::collector {

struct ProcStatus {
  std::uint32_t ppid = 0;
  std::vector<std::uint32_t> namespace_pids;  // ours first, the process's own last
};

std::optional<ProcStatus> read_proc_status(std::uint32_t pid);
std::vector<std::string> read_command(std::uint32_t pid);
std::string read_executable(std::uint32_t pid);

// CPU time of a live thread.
std::optional<std::uint64_t> read_thread_cpu_ns(std::uint32_t pid, std::uint32_t tid);

// The wait status of a process that has ended, while its parent has not yet collected it.
std::optional<int> read_zombie_status(std::uint32_t pid);

// The process whose pid in its own namespace is `inner_pid` and whose parent is `parent` (or has
// gone to `reaper`); 0: none. Searches only when `other_namespace`; else the numbers are the same.
std::uint32_t find_outer_pid(std::uint32_t inner_pid, std::uint32_t parent, std::uint32_t reaper,
                             bool other_namespace);

// The thread of `pid` that has the number `inner_tid` in its own namespace; 0: none.
std::uint32_t find_outer_tid(std::uint32_t pid, std::uint32_t inner_tid);

}  // namespace spyglass::collector
