// SPDX-License-Identifier: Apache-2.0
// run_session.h - one session from arena to closed recording, whoever asked for it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "format/result.h"
#include "recorder/collector/arena_owner.h"
#include "recorder/collector/collector.h"
#include "recorder/collector/process_watch.h"
#include "recorder/collector/session_socket.h"
#include "recorder/collector/supervisor.h"
#include "tools/run_options.h"

namespace spyglass {

class RunSession {
 public:
  // `begin`: when we began; `socket` listens already; `pid` and `command` are the program's.
  static Result<std::unique_ptr<RunSession>> open(
      const RunOptions& options, const format::ClockSample& begin, collector::SessionSocket socket,
      std::uint32_t pid, const std::vector<std::string>& command, const sigset_t& handled_signals);

  collector::Collector& collector() { return *collector_; }
  collector::Supervisor& supervisor() { return *supervisor_; }
  const std::string& path() const { return path_; }
  // Takes the recording away again: the program did not start.
  void discard();

 private:
  RunSession(collector::Arena arena, collector::SessionSocket socket)
      : arena_(std::move(arena)), socket_(std::move(socket)) {}

  collector::Arena arena_;
  collector::SessionSocket socket_;
  collector::ProcessWatch watch_;
  std::string path_;
  std::unique_ptr<collector::Collector> collector_;
  std::unique_ptr<collector::Supervisor> supervisor_;
};

}  // namespace spyglass
