// SPDX-License-Identifier: Apache-2.0
// coverage_notes.h - what a recording does not show, and why: programs that could not be followed,
// calls that no hook sees. Each is told once.
//
//   Where    collector.
//   Threads  all functions, any thread.
//   Memory   one record for each thing told.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "format/records.h"

namespace spyglass::collector {

class CoverageNotes {
 public:
  void add(const std::string& subject, const std::string& reason);
  void add(const std::vector<format::CoverageRecord>& notes);
  // What the program's allocator hides. `traits`: format::ProcessSlot::allocator.
  void add_allocator(const std::string& executable, std::uint32_t traits);
  // What it gave up while it ran. `unseen`: format::ProcessSlot::unseen.
  void add_unseen(const std::string& executable, std::uint32_t unseen);
  // It was ended by `signal`, and there is no record of where. Other signals than those that the
  // library records are no gap.
  void add_unseen_crash(const std::string& executable, int signal);
  // Files that throw by a C++ runtime of their own. Reads them.
  void add_cxx_runtimes(std::span<const format::ModuleInfo> modules);
  // Code made at run time, and no file with its names. `maps`: /tmp/perf-PID.map.
  void add_missing_maps(std::span<const std::string> maps);

  std::vector<format::CoverageRecord> all() const;

 private:
  mutable std::mutex mutex_;
  std::vector<format::CoverageRecord> notes_;
};

}  // namespace spyglass::collector
