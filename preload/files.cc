// SPDX-License-Identifier: Apache-2.0
// Files by path, and everything that gives a descriptor another meaning.
//
// A path is read only after the kernel has: a bad pointer is its to report.
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>

#include <cstdarg>

#include "preload/descriptor_call.h"
#include "preload/hook.h"
#include "recorder/runtime/objects.h"

namespace spyglass::hooks {
namespace {

using runtime::forget_descriptors;
using runtime::note_own_descriptors;
using runtime::set_descriptor;

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline int record_open(const StackPoint& caller, int folder,
                                              const char* path, Call call) {
  return record_named_call<kOperation>(
      caller,
      [&] {
        const int fd = call();
        set_descriptor(fd, 0);
        return fd;
      },
      [&](int fd) { return runtime::opened_file(folder, path, fd, caller.pc - 1); },
      outcome_of_call<int>);
}

template <Operation kOperation, typename Call>
[[gnu::always_inline]] inline int record_path(const StackPoint& caller, const char* path,
                                              Call call) {
  return record_named_call<kOperation>(
      caller, call, [&](int /*result*/) { return runtime::find_file(path, caller.pc - 1); },
      outcome_of_call<int>);
}

int fresh(int fd) {
  set_descriptor(fd, 0);
  return fd;
}

void note_pipe(int result, const int* ends) {
  if (result == 0) {
    set_descriptor(ends[0], 0);
    set_descriptor(ends[1], 0);
  }
}

// Record locks wait; everything else fcntl does is over at once. `Call`: the real call.
template <typename Call>
[[gnu::always_inline]] inline int control(const StackPoint& caller, int fd, int command,
                                          Call call) {
  if (command == F_SETLKW || command == F_OFD_SETLKW) {
    return record_use<Operation::k_fcntl>(caller, fd, call);
  }
  const int result = call();
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
    set_descriptor(result, 0);
  }
  return result;
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

// The mode of a file that is created; noise otherwise, which the kernel does not look at.
#define SPYGLASS_MODE_AFTER(last, mode)         \
  mode_t mode = 0;                              \
  if ((flags & (O_CREAT | __O_TMPFILE)) != 0) { \
    va_list more;                               \
    va_start(more, last);                       \
    mode = va_arg(more, mode_t);                \
    va_end(more);                               \
  }

extern "C" {

int hook_open(const char* path, int flags, ...) {
  SPYGLASS_MODE_AFTER(flags, mode)
  real::make_ready();
  return hooks::record_open<Operation::k_open>(caller_point(), AT_FDCWD, path,
                                               [&] { return real::open(path, flags, mode); });
}

int hook___open_2(const char* path, int flags) {
  real::make_ready();
  return hooks::record_open<Operation::k_open>(caller_point(), AT_FDCWD, path,
                                               [&] { return real::__open_2(path, flags); });
}

int hook_open64(const char* path, int flags, ...) {
  SPYGLASS_MODE_AFTER(flags, mode)
  real::make_ready();
  return hooks::record_open<Operation::k_open64>(caller_point(), AT_FDCWD, path,
                                                 [&] { return real::open64(path, flags, mode); });
}

int hook___open64_2(const char* path, int flags) {
  real::make_ready();
  return hooks::record_open<Operation::k_open64>(caller_point(), AT_FDCWD, path,
                                                 [&] { return real::__open64_2(path, flags); });
}

int hook_openat(int folder, const char* path, int flags, ...) {
  SPYGLASS_MODE_AFTER(flags, mode)
  real::make_ready();
  return hooks::record_open<Operation::k_openat>(
      caller_point(), folder, path, [&] { return real::openat(folder, path, flags, mode); });
}

int hook___openat_2(int folder, const char* path, int flags) {
  real::make_ready();
  return hooks::record_open<Operation::k_openat>(
      caller_point(), folder, path, [&] { return real::__openat_2(folder, path, flags); });
}

int hook_openat64(int folder, const char* path, int flags, ...) {
  SPYGLASS_MODE_AFTER(flags, mode)
  real::make_ready();
  return hooks::record_open<Operation::k_openat64>(
      caller_point(), folder, path, [&] { return real::openat64(folder, path, flags, mode); });
}

int hook___openat64_2(int folder, const char* path, int flags) {
  real::make_ready();
  return hooks::record_open<Operation::k_openat64>(
      caller_point(), folder, path, [&] { return real::__openat64_2(folder, path, flags); });
}

int hook_creat(const char* path, mode_t mode) {
  real::make_ready();
  return hooks::record_open<Operation::k_creat>(caller_point(), AT_FDCWD, path,
                                                [&] { return real::creat(path, mode); });
}

int hook_creat64(const char* path, mode_t mode) {
  real::make_ready();
  return hooks::record_open<Operation::k_creat>(caller_point(), AT_FDCWD, path,
                                                [&] { return real::creat64(path, mode); });
}

int hook_close(int fd) {
  real::make_ready();
  return hooks::record_call<Operation::k_close>(
      caller_point(), [&] { return spyglass::runtime::known_descriptor(fd); },
      [&] {
        // Before: as soon as it is closed, another thread may get the number.
        hooks::set_descriptor(fd, 0);
        return real::close(fd);
      },
      hooks::outcome_of_call<int>);
}

void hook_closefrom(int first) {
  real::make_ready();
  hooks::forget_descriptors(first < 0 ? 0U : static_cast<unsigned>(first), ~0U);
  real::closefrom(first);
}

int hook_close_range(unsigned first, unsigned last, int flags) {
  real::make_ready();
  hooks::forget_descriptors(first, last);
  const int result = real::close_range(first, last, flags);
  if (result == 0 && (flags & static_cast<int>(CLOSE_RANGE_UNSHARE)) != 0) {
    hooks::note_own_descriptors();
  }
  return result;
}

int hook_unshare(int flags) {
  real::make_ready();
  const int result = real::unshare(flags);
  if (result == 0 && (flags & CLONE_FILES) != 0) {
    hooks::note_own_descriptors();
  }
  return result;
}

int hook_closedir(DIR* folder) {
  real::make_ready();
  if (folder != nullptr) {
    hooks::set_descriptor(real::dirfd(folder), 0);
  }
  return real::closedir(folder);
}

int hook_dup(int fd) {
  real::make_ready();
  return hooks::fresh(real::dup(fd));
}

int hook_dup2(int fd, int wanted) {
  real::make_ready();
  return hooks::fresh(real::dup2(fd, wanted));
}

int hook_dup3(int fd, int wanted, int flags) {
  real::make_ready();
  return hooks::fresh(real::dup3(fd, wanted, flags));
}

int hook_pipe(int* ends) {
  real::make_ready();
  const int result = real::pipe(ends);
  hooks::note_pipe(result, ends);
  return result;
}

int hook_pipe2(int* ends, int flags) {
  real::make_ready();
  const int result = real::pipe2(ends, flags);
  hooks::note_pipe(result, ends);
  return result;
}

int hook_fsync(int fd) {
  return hooks::record_use<Operation::k_fsync>(caller_point(), fd, [&] { return real::fsync(fd); });
}

int hook_fdatasync(int fd) {
  return hooks::record_use<Operation::k_fdatasync>(caller_point(), fd,
                                                   [&] { return real::fdatasync(fd); });
}

int hook_sync_file_range(int fd, off_t offset, off_t bytes, unsigned flags) {
  return hooks::record_use<Operation::k_sync_file_range>(
      caller_point(), fd, [&] { return real::sync_file_range(fd, offset, bytes, flags); });
}

int hook_rename(const char* from, const char* to) {
  real::make_ready();
  return hooks::record_path<Operation::k_rename>(caller_point(), from,
                                                 [&] { return real::rename(from, to); });
}

int hook_renameat(int from_folder, const char* from, int to_folder, const char* to) {
  real::make_ready();
  return hooks::record_path<Operation::k_renameat>(
      caller_point(), from, [&] { return real::renameat(from_folder, from, to_folder, to); });
}

int hook_unlink(const char* path) {
  real::make_ready();
  return hooks::record_path<Operation::k_unlink>(caller_point(), path,
                                                 [&] { return real::unlink(path); });
}

int hook_unlinkat(int folder, const char* path, int flags) {
  real::make_ready();
  return hooks::record_path<Operation::k_unlinkat>(
      caller_point(), path, [&] { return real::unlinkat(folder, path, flags); });
}

int hook_flock(int fd, int operation) {
  return hooks::record_use<Operation::k_flock>(caller_point(), fd,
                                               [&] { return real::flock(fd, operation); });
}

int hook_fcntl(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  real::make_ready();
  return hooks::control(caller_point(), fd, command,
                        [&] { return real::fcntl(fd, command, argument); });
}

int hook_fcntl64(int fd, int command, ...) {
  va_list more;
  va_start(more, command);
  void* argument = va_arg(more, void*);
  va_end(more);
  real::make_ready();
  return hooks::control(caller_point(), fd, command,
                        [&] { return real::fcntl64(fd, command, argument); });
}

}  // extern "C"
