// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/session_socket.h"

#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace spyglass::collector {
namespace {

constexpr int kBacklog = 4096;

Error system_error(const char* what) {
  return Error{ErrorKind::kSystem, std::string(what) + ": " + std::strerror(errno)};
}

format::WelcomeStatus judge(const format::Hello& hello, const ucred& peer) {
  if (peer.uid != ::getuid() && peer.uid != 0) {
    return format::WelcomeStatus::kRefused;
  }
  const bool same =
      hello.version == format::kArenaVersion && hello.layout == format::layout_fingerprint();
  return same ? format::WelcomeStatus::kWelcome : format::WelcomeStatus::kOtherVersion;
}

}  // namespace

std::string random_session_name() {
  std::array<unsigned char, 16> bytes = {};
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const ssize_t got = ::getrandom(bytes.data() + filled, bytes.size() - filled, 0);
    filled += got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  std::string name = "spyglass-";
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4U];
    name += "0123456789abcdef"[byte & 15U];
  }
  return name;
}

Result<SessionSocket> SessionSocket::listen(const std::string& name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (name.empty() || name.size() + 1 > sizeof(address.sun_path)) {
    return Error{ErrorKind::kUsage, "bad session name '" + name + "'"};
  }
  std::memcpy(&address.sun_path[1], name.data(), name.size());
  const auto bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return system_error("cannot open the session's socket");
  }
  return SessionSocket(std::move(fd));
}

UniqueFd SessionSocket::accept() const {
  return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

std::optional<Caller> receive_hello(UniqueFd connection) {
  format::Hello hello = {};
  ucred peer = {};
  socklen_t peer_bytes = sizeof(peer);
  const ssize_t got = ::recv(connection.get(), &hello, sizeof(hello), MSG_DONTWAIT);
  if (got != static_cast<ssize_t>(sizeof(hello)) || hello.magic != format::kArenaMagic ||
      ::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) != 0) {
    return std::nullopt;
  }
  Caller caller;
  caller.connection = std::move(connection);
  caller.outer_pid = peer.pid > 0 ? static_cast<std::uint32_t>(peer.pid) : 0;
  caller.verdict = judge(hello, peer);
  return caller;
}

bool send_welcome(const Caller& caller, std::uint32_t process_slot, std::uint64_t arena_bytes,
                  int arena_fd) {
  format::Welcome welcome = {format::kArenaMagic, caller.verdict, process_slot, arena_bytes};
  iovec content = {&welcome, sizeof(welcome)};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control = {};
  msghdr message = {};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (caller.verdict == format::WelcomeStatus::kWelcome) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &arena_fd, sizeof(arena_fd));
  }
  return ::sendmsg(caller.connection.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(sizeof(welcome));
}

}  // namespace spyglass::collector
