// SPDX-License-Identifier: Apache-2.0
// session_socket.h - where processes of the session come for the arena.
//
// Listens on an abstract SOCK_SEQPACKET name of 128 random bits. The kernel tells who connects;
// only processes of our own user (or root) are served.
//
//   Where    collector's main thread.
//   Errors   a peer that says nonsense is dropped; the session goes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "format/arena.h"
#include "format/result.h"
#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

// A random abstract name, without the leading NUL.
std::string random_session_name();

struct Caller {
  UniqueFd connection;
  std::uint32_t outer_pid = 0;  // 0: lives in a pid namespace that we can't see into
  format::WelcomeStatus verdict = format::WelcomeStatus::kWelcome;
};

class SessionSocket {
 public:
  static Result<SessionSocket> listen(const std::string& name);

  int fd() const { return fd_.get(); }
  UniqueFd accept() const;

 private:
  explicit SessionSocket(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Reads the Hello on `connection`, which must be readable; nothing when there is none to answer.
std::optional<Caller> receive_hello(UniqueFd connection);

// Answers, with `arena_fd` if the caller is welcome.
bool send_welcome(const Caller& caller, std::uint32_t process_slot, std::uint64_t arena_bytes,
                  int arena_fd);

}  // namespace spyglass::collector
