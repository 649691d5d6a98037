// SPDX-License-Identifier: Apache-2.0
// Sockets. What a socket is called can change when it is bound, listens, connects.
#include "preload/descriptor_call.h"
#include "preload/hook.h"

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;
using spyglass::runtime::OperationResult;
using spyglass::runtime::StackPoint;

namespace {

// What recvmmsg and sendmmsg moved.
OperationResult outcome_of_messages(int result, const mmsghdr* messages) {
  if (result < 0) {
    return hooks::outcome_of_call(result);
  }
  OperationResult moved = {};
  for (int i = 0; i < result; ++i) {
    moved.bytes += messages[i].msg_len;
  }
  return moved;
}

int accepted(int fd) {
  if (fd >= 0) {
    spyglass::runtime::note_accepted(fd);
  }
  return fd;
}

}  // namespace

extern "C" {

int hook_socket(int family, int kind, int protocol) {
  real::make_ready();
  const int fd = real::socket(family, kind, protocol);
  spyglass::runtime::set_descriptor(fd, 0);
  return fd;
}

int hook_socketpair(int family, int kind, int protocol, int* pair) {
  real::make_ready();
  const int result = real::socketpair(family, kind, protocol, pair);
  if (result == 0) {
    spyglass::runtime::set_descriptor(pair[0], 0);
    spyglass::runtime::set_descriptor(pair[1], 0);
  }
  return result;
}

int hook_bind(int fd, const sockaddr* address, socklen_t bytes) {
  real::make_ready();
  const int result = real::bind(fd, address, bytes);
  spyglass::runtime::set_descriptor(fd, 0);
  return result;
}

int hook_listen(int fd, int backlog) {
  real::make_ready();
  const int result = real::listen(fd, backlog);
  spyglass::runtime::set_descriptor(fd, 0);
  return result;
}

int hook_accept(int fd, sockaddr* address, socklen_t* bytes) {
  return accepted(hooks::record_use<Operation::k_accept>(
      caller_point(), fd, [&] { return real::accept(fd, address, bytes); }));
}

int hook_accept4(int fd, sockaddr* address, socklen_t* bytes, int flags) {
  return accepted(hooks::record_use<Operation::k_accept4>(
      caller_point(), fd, [&] { return real::accept4(fd, address, bytes, flags); }));
}

int hook_connect(int fd, const sockaddr* address, socklen_t bytes) {
  real::make_ready();
  const StackPoint caller = caller_point();
  spyglass::runtime::set_descriptor(fd, 0);
  return hooks::record_named_call<Operation::k_connect>(
      caller, [&] { return real::connect(fd, address, bytes); },
      [&](int result) {
        const std::uint32_t object =
            spyglass::runtime::destination_object(fd, address, bytes, caller.pc - 1);
        if (result == 0 || errno == EINPROGRESS) {
          spyglass::runtime::set_descriptor(fd, object);
        }
        return object;
      },
      hooks::outcome_of_call<int>);
}

ssize_t hook_recv(int fd, void* buffer, size_t bytes, int flags) {
  return hooks::record_transfer<Operation::k_recv>(
      caller_point(), fd, [&] { return real::recv(fd, buffer, bytes, flags); });
}

ssize_t hook___recv_chk(int fd, void* buffer, size_t bytes, size_t room, int flags) {
  return hooks::record_transfer<Operation::k_recv>(
      caller_point(), fd, [&] { return real::__recv_chk(fd, buffer, bytes, room, flags); });
}

ssize_t hook_recvfrom(int fd, void* buffer, size_t bytes, int flags, sockaddr* address,
                      socklen_t* address_bytes) {
  return hooks::record_transfer<Operation::k_recvfrom>(caller_point(), fd, [&] {
    return real::recvfrom(fd, buffer, bytes, flags, address, address_bytes);
  });
}

ssize_t hook___recvfrom_chk(int fd, void* buffer, size_t bytes, size_t room, int flags,
                            sockaddr* address, socklen_t* address_bytes) {
  return hooks::record_transfer<Operation::k_recvfrom>(caller_point(), fd, [&] {
    return real::__recvfrom_chk(fd, buffer, bytes, room, flags, address, address_bytes);
  });
}

ssize_t hook_recvmsg(int fd, msghdr* message, int flags) {
  return hooks::record_transfer<Operation::k_recvmsg>(
      caller_point(), fd, [&] { return real::recvmsg(fd, message, flags); });
}

ssize_t hook_send(int fd, const void* buffer, size_t bytes, int flags) {
  return hooks::record_transfer<Operation::k_send>(
      caller_point(), fd, [&] { return real::send(fd, buffer, bytes, flags); });
}

ssize_t hook_sendto(int fd, const void* buffer, size_t bytes, int flags, const sockaddr* address,
                    socklen_t address_bytes) {
  return hooks::record_transfer<Operation::k_sendto>(caller_point(), fd, [&] {
    return real::sendto(fd, buffer, bytes, flags, address, address_bytes);
  });
}

ssize_t hook_sendmsg(int fd, const msghdr* message, int flags) {
  return hooks::record_transfer<Operation::k_sendmsg>(
      caller_point(), fd, [&] { return real::sendmsg(fd, message, flags); });
}

int hook_recvmmsg(int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout) {
  real::make_ready();
  const StackPoint caller = caller_point();
  return hooks::record_call<Operation::k_recvmmsg>(
      caller, [&] { return spyglass::runtime::descriptor_object(fd, caller.pc - 1); },
      [&] { return real::recvmmsg(fd, messages, count, flags, timeout); },
      [&](int result) { return outcome_of_messages(result, messages); });
}

int hook_sendmmsg(int fd, mmsghdr* messages, unsigned count, int flags) {
  real::make_ready();
  const StackPoint caller = caller_point();
  return hooks::record_call<Operation::k_sendmmsg>(
      caller, [&] { return spyglass::runtime::descriptor_object(fd, caller.pc - 1); },
      [&] { return real::sendmmsg(fd, messages, count, flags); },
      [&](int result) { return outcome_of_messages(result, messages); });
}

}  // extern "C"
