// SPDX-License-Identifier: Apache-2.0
// Reading and writing by descriptor. The __*_chk names are what _FORTIFY_SOURCE makes of the
// others.
#include "preload/descriptor_call.h"
#include "preload/hook.h"

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

extern "C" {

ssize_t hook_read(int fd, void* buffer, size_t bytes) {
  return hooks::record_transfer<Operation::k_read>(caller_point(), fd,
                                                   [&] { return real::read(fd, buffer, bytes); });
}

ssize_t hook___read_chk(int fd, void* buffer, size_t bytes, size_t room) {
  return hooks::record_transfer<Operation::k_read>(
      caller_point(), fd, [&] { return real::__read_chk(fd, buffer, bytes, room); });
}

ssize_t hook_pread(int fd, void* buffer, size_t bytes, off_t offset) {
  return hooks::record_transfer<Operation::k_pread>(
      caller_point(), fd, [&] { return real::pread(fd, buffer, bytes, offset); });
}

ssize_t hook___pread_chk(int fd, void* buffer, size_t bytes, off_t offset, size_t room) {
  return hooks::record_transfer<Operation::k_pread>(
      caller_point(), fd, [&] { return real::__pread_chk(fd, buffer, bytes, offset, room); });
}

ssize_t hook_pread64(int fd, void* buffer, size_t bytes, off_t offset) {
  return hooks::record_transfer<Operation::k_pread64>(
      caller_point(), fd, [&] { return real::pread64(fd, buffer, bytes, offset); });
}

ssize_t hook___pread64_chk(int fd, void* buffer, size_t bytes, off_t offset, size_t room) {
  return hooks::record_transfer<Operation::k_pread64>(
      caller_point(), fd, [&] { return real::__pread64_chk(fd, buffer, bytes, offset, room); });
}

ssize_t hook_readv(int fd, const iovec* parts, int count) {
  return hooks::record_transfer<Operation::k_readv>(caller_point(), fd,
                                                    [&] { return real::readv(fd, parts, count); });
}

ssize_t hook_preadv(int fd, const iovec* parts, int count, off_t offset) {
  return hooks::record_transfer<Operation::k_preadv>(
      caller_point(), fd, [&] { return real::preadv(fd, parts, count, offset); });
}

ssize_t hook_preadv64(int fd, const iovec* parts, int count, off_t offset) {
  return hooks::record_transfer<Operation::k_preadv64>(
      caller_point(), fd, [&] { return real::preadv64(fd, parts, count, offset); });
}

ssize_t hook_preadv2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  return hooks::record_transfer<Operation::k_preadv2>(
      caller_point(), fd, [&] { return real::preadv2(fd, parts, count, offset, flags); });
}

ssize_t hook_preadv64v2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  return hooks::record_transfer<Operation::k_preadv2>(
      caller_point(), fd, [&] { return real::preadv64v2(fd, parts, count, offset, flags); });
}

ssize_t hook_write(int fd, const void* buffer, size_t bytes) {
  return hooks::record_transfer<Operation::k_write>(caller_point(), fd,
                                                    [&] { return real::write(fd, buffer, bytes); });
}

ssize_t hook_pwrite(int fd, const void* buffer, size_t bytes, off_t offset) {
  return hooks::record_transfer<Operation::k_pwrite>(
      caller_point(), fd, [&] { return real::pwrite(fd, buffer, bytes, offset); });
}

ssize_t hook_pwrite64(int fd, const void* buffer, size_t bytes, off_t offset) {
  return hooks::record_transfer<Operation::k_pwrite64>(
      caller_point(), fd, [&] { return real::pwrite64(fd, buffer, bytes, offset); });
}

ssize_t hook_writev(int fd, const iovec* parts, int count) {
  return hooks::record_transfer<Operation::k_writev>(
      caller_point(), fd, [&] { return real::writev(fd, parts, count); });
}

ssize_t hook_pwritev(int fd, const iovec* parts, int count, off_t offset) {
  return hooks::record_transfer<Operation::k_pwritev>(
      caller_point(), fd, [&] { return real::pwritev(fd, parts, count, offset); });
}

ssize_t hook_pwritev64(int fd, const iovec* parts, int count, off_t offset) {
  return hooks::record_transfer<Operation::k_pwritev64>(
      caller_point(), fd, [&] { return real::pwritev64(fd, parts, count, offset); });
}

ssize_t hook_pwritev2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  return hooks::record_transfer<Operation::k_pwritev2>(
      caller_point(), fd, [&] { return real::pwritev2(fd, parts, count, offset, flags); });
}

ssize_t hook_pwritev64v2(int fd, const iovec* parts, int count, off_t offset, int flags) {
  return hooks::record_transfer<Operation::k_pwritev2>(
      caller_point(), fd, [&] { return real::pwritev64v2(fd, parts, count, offset, flags); });
}

ssize_t hook_sendfile(int out, int in, off_t* offset, size_t bytes) {
  return hooks::record_transfer<Operation::k_sendfile>(
      caller_point(), out, [&] { return real::sendfile(out, in, offset, bytes); });
}

ssize_t hook_sendfile64(int out, int in, off_t* offset, size_t bytes) {
  return hooks::record_transfer<Operation::k_sendfile64>(
      caller_point(), out, [&] { return real::sendfile64(out, in, offset, bytes); });
}

ssize_t hook_splice(int in, off_t* in_offset, int out, off_t* out_offset, size_t bytes,
                    unsigned flags) {
  return hooks::record_transfer<Operation::k_splice>(caller_point(), out, [&] {
    return real::splice(in, in_offset, out, out_offset, bytes, flags);
  });
}

ssize_t hook_copy_file_range(int in, off_t* in_offset, int out, off_t* out_offset, size_t bytes,
                             unsigned flags) {
  return hooks::record_transfer<Operation::k_copy_file_range>(caller_point(), out, [&] {
    return real::copy_file_range(in, in_offset, out, out_offset, bytes, flags);
  });
}

}  // extern "C"
