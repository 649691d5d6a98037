// SPDX-License-Identifier: Apache-2.0
// Waiting for descriptors: how long, and for epoll on which one.
#include "preload/descriptor_call.h"
#include "preload/hook.h"

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

namespace {

constexpr int kNoDescriptor = -1;

}  // namespace

extern "C" {

int hook_poll(pollfd* set, nfds_t count, int timeout_ms) {
  return hooks::record_use<Operation::k_poll>(caller_point(), kNoDescriptor,
                                              [&] { return real::poll(set, count, timeout_ms); });
}

int hook___poll_chk(pollfd* set, nfds_t count, int timeout_ms, size_t room) {
  return hooks::record_use<Operation::k_poll>(caller_point(), kNoDescriptor, [&] {
    return real::__poll_chk(set, count, timeout_ms, room);
  });
}

int hook_ppoll(pollfd* set, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  return hooks::record_use<Operation::k_ppoll>(
      caller_point(), kNoDescriptor, [&] { return real::ppoll(set, count, timeout, mask); });
}

int hook___ppoll_chk(pollfd* set, nfds_t count, const timespec* timeout, const sigset_t* mask,
                     size_t room) {
  return hooks::record_use<Operation::k_ppoll>(caller_point(), kNoDescriptor, [&] {
    return real::__ppoll_chk(set, count, timeout, mask, room);
  });
}

int hook_select(int count, fd_set* readable, fd_set* writable, fd_set* failed, timeval* timeout) {
  return hooks::record_use<Operation::k_select>(caller_point(), kNoDescriptor, [&] {
    return real::select(count, readable, writable, failed, timeout);
  });
}

int hook_pselect(int count, fd_set* readable, fd_set* writable, fd_set* failed,
                 const timespec* timeout, const sigset_t* mask) {
  return hooks::record_use<Operation::k_pselect>(caller_point(), kNoDescriptor, [&] {
    return real::pselect(count, readable, writable, failed, timeout, mask);
  });
}

int hook_epoll_wait(int fd, epoll_event* events, int count, int timeout_ms) {
  return hooks::record_use<Operation::k_epoll_wait>(
      caller_point(), fd, [&] { return real::epoll_wait(fd, events, count, timeout_ms); });
}

int hook_epoll_pwait(int fd, epoll_event* events, int count, int timeout_ms, const sigset_t* mask) {
  return hooks::record_use<Operation::k_epoll_pwait>(
      caller_point(), fd, [&] { return real::epoll_pwait(fd, events, count, timeout_ms, mask); });
}

int hook_epoll_pwait2(int fd, epoll_event* events, int count, const timespec* timeout,
                      const sigset_t* mask) {
  return hooks::record_use<Operation::k_epoll_pwait2>(
      caller_point(), fd, [&] { return real::epoll_pwait2(fd, events, count, timeout, mask); });
}

}  // extern "C"
