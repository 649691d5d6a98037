// SPDX-License-Identifier: Apache-2.0
// child_process.h - starts the program with what it would have had without us: stdio, process
// group, terminal, signal mask, dispositions, limits.
//
//   Where    spyglass-run's main thread, before it has another.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <array>
#include <csignal>
#include <string>
#include <vector>

#include "format/result.h"
#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

// Changes what spyglass-run needs otherwise for itself; the child gets the old state back.
class InheritedState {
 public:
  // Blocks the signals that signalfd reads; raises the limit of descriptors.
  InheritedState();
  void restore() const;

  const sigset_t& handled_signals() const { return handled_; }

 private:
  static constexpr std::array<int, 3> kChanged = {SIGCHLD, SIGPIPE, SIGXFSZ};
  sigset_t handled_ = {};
  sigset_t mask_ = {};
  std::array<struct sigaction, kChanged.size()> actions_ = {};
  rlimit descriptors_ = {};
};

class ChildProcess {
 public:
  // Forks a child that waits for run().
  static Result<ChildProcess> fork(const std::vector<std::string>& command,
                                   const std::vector<std::string>& environment,
                                   const InheritedState& state);
  ChildProcess(ChildProcess&&) = default;
  ~ChildProcess();  // a child that was never run ends

  pid_t pid() const { return pid_; }
  // Lets it become the program. Returns 0 or the errno of exec; the child is then gone.
  int run();

 private:
  ChildProcess(pid_t pid, UniqueFd go, UniqueFd failure)
      : pid_(pid), go_(std::move(go)), failure_(std::move(failure)) {}

  pid_t pid_;
  UniqueFd go_;
  UniqueFd failure_;
};

}  // namespace spyglass::collector
