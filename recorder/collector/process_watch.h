// SPDX-License-Identifier: Apache-2.0
// process_watch.h - tells when a process ends, and how.
//
//   Where    collector. watch() by any thread; the descriptor is polled by the main thread.
//   Memory   one descriptor for each live process.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

struct EndedProcess {
  std::uint32_t pid = 0;
  std::optional<int> wait_status;  // as waitpid gives it; empty: nobody could say
};

class ProcessWatch {
 public:
  ProcessWatch();

  enum class Verdict { kWatched, kGone, kCannotWatch };
  Verdict watch(std::uint32_t pid);
  // Becomes readable when a watched process has ended.
  int fd() const { return epoll_.get(); }
  // The watched processes that have ended since the last call. Collects those that are our
  // children.
  std::vector<EndedProcess> take_ended();
  // `pid` was collected by someone else; false if it was not watched (any more).
  bool forget(std::uint32_t pid);

 private:
  UniqueFd epoll_;
  std::mutex mutex_;
  std::unordered_map<std::uint32_t, UniqueFd> watched_;  // by pid
};

}  // namespace spyglass::collector
