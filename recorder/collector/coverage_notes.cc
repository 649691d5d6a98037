// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/coverage_notes.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "format/arena.h"
#include "recorder/collector/cxx_runtime_check.h"

namespace spyglass::collector {

void CoverageNotes::add(const std::string& subject, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  const auto same = [&](const format::CoverageRecord& known) {
    return known.subject == subject && known.reason == reason;
  };
  if (std::none_of(notes_.begin(), notes_.end(), same)) {
    notes_.push_back({subject, reason});
  }
}

void CoverageNotes::add(const std::vector<format::CoverageRecord>& notes) {
  for (const auto& [subject, reason] : notes) {
    add(subject, reason);
  }
}

void CoverageNotes::add_allocator(const std::string& executable, std::uint32_t traits) {
  const auto say = [&](std::uint32_t trait, const char* reason) {
    if ((traits & trait) != 0) {
      add(executable, reason);
    }
  };
  say(format::kAllocatorOwn, "has a malloc() of its own: its allocations are not seen");
  say(format::kAllocatorJemalloc,
      "is linked with jemalloc: calls of mallocx(), sdallocx() and the like are not seen");
  say(format::kAllocatorTcmalloc,
      "is linked with tcmalloc: calls of tc_malloc() and the like are not seen");
  say(format::kAllocatorMimalloc,
      "is linked with mimalloc: calls of mi_malloc() and the like are not seen");
}

void CoverageNotes::add_unseen(const std::string& executable, std::uint32_t unseen) {
  if ((unseen & format::kUnseenUntimedThreads) != 0) {
    add(executable, "was refused timers (ulimit -i): threads without one are not sampled");
  }
  if ((unseen & format::kUnseenSinceNoClock) != 0) {
    add(executable, "forbade itself the time stamp counter: what it did from then on is not seen");
  }
}

void CoverageNotes::add_unseen_crash(const std::string& executable, int signal) {
  switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGTRAP:
    case SIGSYS:
      break;
    default:
      return;
  }
  // The kernel kills at once where it cannot call a handler.
  const bool by_access = signal == SIGSEGV || signal == SIGBUS;
  add(executable, std::string("died of SIG") + ::sigabbrev_np(signal) +
                      (by_access ? " where no handler could run, so without a stack: endless "
                                   "recursion, perhaps"
                                 : " where no handler could run, so without a stack"));
}

// Libraries too: what throws inside of a plugin is not seen either.
void CoverageNotes::add_cxx_runtimes(std::span<const format::ModuleInfo> modules) {
  for (const format::ModuleInfo& module : modules) {
    if (has_own_cxx_runtime(module.path)) {
      add(module.path, "has a C++ runtime of its own: its exceptions are not seen");
    }
  }
}

void CoverageNotes::add_missing_maps(std::span<const std::string> maps) {
  if (maps.empty()) {
    return;
  }
  const std::string which =
      maps.size() == 1 ? maps.front()
                       : "/tmp/perf-PID.map of " + std::to_string(maps.size()) + " processes";
  add("code made at run time", "has no names, as there is no " + which +
                                   " (node --perf-basic-prof, java -XX:+DumpPerfMapAtExit)");
}

std::vector<format::CoverageRecord> CoverageNotes::all() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}

}  // namespace spyglass::collector
