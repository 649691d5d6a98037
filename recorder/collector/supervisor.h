// SPDX-License-Identifier: Apache-2.0
// supervisor.h - the main thread's part of a session: welcomes processes, passes signals on,
// follows the program's job control, learns how processes end and decides when the session does.
//
//   Where    spyglass-run's main thread.
//   Errors   a process that can't be welcomed runs unrecorded.
#pragma once

#include <sys/signalfd.h>
#include <sys/types.h>

#include <csignal>
#include <cstdint>
#include <map>
#include <optional>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/collector.h"
#include "recorder/collector/collector_options.h"
#include "recorder/collector/process_watch.h"
#include "recorder/collector/session_socket.h"
#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

class Supervisor {
 public:
  // All outlive the supervisor. `child`: the program, our child; 0 in serve mode.
  Supervisor(const Arena& arena, const SessionSocket& socket, ProcessWatch& watch,
             Collector& collector, Follow follow, const sigset_t& handled_signals);

  // The program that was started.
  void set_child(pid_t child) { child_ = child; }
  // Serve mode: the connection on which the first Hello comes.
  void add_connection(UniqueFd connection);

  // Until the session is over. False: it was interrupted, processes are still running.
  bool supervise();

  std::optional<int> child_status() const { return child_status_; }
  // Whether any process has joined the session.
  bool joined() const { return joined_; }

 private:
  void poll_for(int fd, bool wanted) const;
  void handle_event(int fd);
  void handle_signals();
  void forward(const signalfd_siginfo& info);
  void collect_children();
  void note_ended(const EndedProcess& ended);
  void welcome(UniqueFd connection);
  bool is_over() const;
  bool serving_is_over();

  const Arena& arena_;
  const SessionSocket& socket_;
  ProcessWatch& watch_;
  Collector& collector_;
  Follow follow_;
  UniqueFd epoll_;
  UniqueFd signals_;
  std::map<int, UniqueFd> connections_;  // that have not said Hello
  pid_t child_ = 0;
  std::optional<int> child_status_;
  bool no_children_ = false;
  bool continued_ = false;  // after a stop with the program; the SIGCONT has not been read
  bool joined_ = false;
  bool interrupted_ = false;
  int quiet_turns_ = 0;  // of serve mode, without a process
};

}  // namespace spyglass::collector
