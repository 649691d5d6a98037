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

struct ThreadTimes {
  std::uint64_t cpu_ns = 0;
  std::uint64_t runnable_ns = 0;  // waited for a CPU
};
// Of a live thread, since its start.
std::optional<ThreadTimes> read_thread_times(std::uint32_t pid, std::uint32_t tid);

// Empty: the thread is gone.
std::string read_thread_name(std::uint32_t pid, std::uint32_t tid);
// Of all threads of a live process, those that ended included.
std::optional<std::uint64_t> read_process_cpu_ns(std::uint32_t pid);

// What a live process has in memory.
std::optional<std::uint64_t> read_resident_bytes(std::uint32_t pid);

// Threads of a live process; 0: it is gone.
std::size_t count_threads(std::uint32_t pid);

// An executable mapping of a file.
struct ProcMapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;
  std::uint64_t inode = 0;
  std::string path;
};
std::vector<ProcMapping> read_code_mappings(std::uint32_t pid);

// Whether `variable` is in the environment that a live process was started with; empty: unreadable.
std::optional<bool> has_variable(std::uint32_t pid, const std::string& variable);

// The wait status of a process that has ended, while its parent has not yet collected it.
std::optional<int> read_zombie_status(std::uint32_t pid);

// The process whose pid in its own namespace is `inner_pid` and whose parent is `parent` (or has
// gone to `reaper`); 0: none. Searches only when `other_namespace`; else the numbers are the same.
std::uint32_t find_outer_pid(std::uint32_t inner_pid, std::uint32_t parent, std::uint32_t reaper,
                             bool other_namespace);

// The thread of `pid` that has the number `inner_tid` in its own namespace; 0: none.
std::uint32_t find_outer_tid(std::uint32_t pid, std::uint32_t inner_tid);

}  // namespace spyglass::collector
