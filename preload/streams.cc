// SPDX-License-Identifier: Apache-2.0
// Streams of stdio.
//
// Not seen: scanf and its like, characters one at a time, wide streams, what exit() flushes of
// other streams than the standard output.
#include <fcntl.h>

#include <cstring>

#include "preload/exit_flush.h"
#include "preload/stream_call.h"

namespace spyglass::hooks {
namespace {

bool holds_line(const FILE* stream, int end) {
  const Buffered now = buffered(stream);
  return now.unread > 0 &&
         std::memchr(stream->_IO_read_ptr, end, static_cast<std::size_t>(now.unread)) != nullptr;
}

// Records `open_it`, which opens `path`.
template <typename Open>
[[gnu::always_inline]] inline FILE* open_stream(const StackPoint& caller, const char* path,
                                                Open open_it) {
  if (path == nullptr || !runtime::records(class_of(Operation::k_fopen))) {
    return open_it();
  }
  runtime::OpenOperation open = runtime::begin_operation(Operation::k_fopen, caller, 0);
  FILE* stream = open_it();
  const int fd = stream != nullptr ? stream->_fileno : -1;
  runtime::set_descriptor(fd, 0);
  if (stream != nullptr || errno != EFAULT) {
    runtime::set_object(open, runtime::opened_file(AT_FDCWD, path, fd, caller.pc - 1));
  }
  runtime::end_operation(open, {0, stream == nullptr});
  return stream;
}

int forget_stream(FILE* stream) {
  const int fd = stream != nullptr ? stream->_fileno : -1;
  runtime::set_descriptor(fd, 0);
  return fd;
}

template <typename Read>
[[gnu::always_inline]] inline std::size_t read_items(const StackPoint& caller, std::size_t size,
                                                     std::size_t count, FILE* stream, Read read) {
  const std::uint64_t wanted = std::uint64_t{size} * count;
  if (!records_reads() || !is_plain(stream) || wanted <= at_least_0(buffered(stream).unread)) {
    return read();
  }
  return read_stream<Operation::k_fread>(caller, stream, read, [&](std::size_t items) {
    return static_cast<std::int64_t>(items * size);
  });
}

template <typename Write>
[[gnu::always_inline]] inline std::size_t write_items(const StackPoint& caller, std::size_t size,
                                                      std::size_t count, FILE* stream,
                                                      Write write) {
  if (!records_writes() || !is_plain(stream) || fits(stream, std::uint64_t{size} * count)) {
    return write();
  }
  return write_stream<Operation::k_fwrite>(caller, stream, write, [&](std::size_t items) {
    return static_cast<std::int64_t>(items * size);
  });
}

template <typename Read>
[[gnu::always_inline]] inline char* read_line(const StackPoint& caller, FILE* stream, Read read) {
  if (!records_reads() || !is_plain(stream) || holds_line(stream, '\n')) {
    return read();
  }
  return read_stream<Operation::k_fgets>(caller, stream, read, [](const char* line) {
    return line == nullptr ? 0 : static_cast<std::int64_t>(std::strlen(line));
  });
}

template <typename Read>
[[gnu::always_inline]] inline ssize_t read_until(const StackPoint& caller, FILE* stream, int end,
                                                 Read read) {
  if (!records_reads() || !is_plain(stream) || holds_line(stream, end)) {
    return read();
  }
  return read_stream<Operation::k_getline>(
      caller, stream, read, [](ssize_t bytes) { return bytes < 0 ? ssize_t{0} : bytes; });
}

}  // namespace

void record_exit_flush() {
  if (!records_writes() || !is_plain(stdout)) {
    return;
  }
  const std::uint64_t bytes = at_least_0(buffered(stdout).unwritten);
  if (bytes == 0) {
    return;
  }
  const StackPoint caller = runtime::caller_point();
  record_call<Operation::k_exit>(
      caller, [&] { return runtime::descriptor_object(stdout->_fileno, caller.pc - 1); },
      [] { return 0; },
      [&](int /*result*/) -> OperationResult {
        return {bytes, false};
      });
}

}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

extern "C" {

FILE* hook_fopen(const char* path, const char* mode) {
  real::make_ready();
  return hooks::open_stream(caller_point(), path, [&] { return real::fopen(path, mode); });
}

FILE* hook_fopen64(const char* path, const char* mode) {
  real::make_ready();
  return hooks::open_stream(caller_point(), path, [&] { return real::fopen64(path, mode); });
}

FILE* hook_freopen(const char* path, const char* mode, FILE* stream) {
  real::make_ready();
  hooks::forget_stream(stream);
  return hooks::open_stream(caller_point(), path,
                            [&] { return real::freopen(path, mode, stream); });
}

FILE* hook_freopen64(const char* path, const char* mode, FILE* stream) {
  real::make_ready();
  hooks::forget_stream(stream);
  return hooks::open_stream(caller_point(), path,
                            [&] { return real::freopen64(path, mode, stream); });
}

int hook_fclose(FILE* stream) {
  real::make_ready();
  const auto known =
      spyglass::runtime::known_descriptor(hooks::is_plain(stream) ? stream->_fileno : -1);
  const auto unwritten = hooks::buffered(stream).unwritten;
  return hooks::record_call<Operation::k_fclose>(
      caller_point(), [&] { return known; },
      [&] {
        hooks::forget_stream(stream);
        return real::fclose(stream);
      },
      [&](int result) -> spyglass::runtime::OperationResult {
        return {result == 0 ? hooks::at_least_0(unwritten) : 0, result != 0};
      });
}

int hook_pclose(FILE* stream) {
  real::make_ready();
  hooks::forget_stream(stream);
  return hooks::record_call<Operation::k_pclose>(
      caller_point(), hooks::no_object, [&] { return real::pclose(stream); },
      hooks::outcome_of_call<int>);
}

int hook_fflush(FILE* stream) {
  real::make_ready();
  if (stream != nullptr && (!hooks::is_plain(stream) || hooks::buffered(stream).unwritten == 0)) {
    return real::fflush(stream);
  }
  if (stream == nullptr) {
    return hooks::record_call<Operation::k_fflush>(
        caller_point(), hooks::no_object, [&] { return real::fflush(stream); },
        hooks::outcome_of_call<int>);
  }
  return hooks::write_stream<Operation::k_fflush>(
      caller_point(), stream, [&] { return real::fflush(stream); },
      [](int /*result*/) { return std::int64_t{0}; });
}

size_t hook_fread(void* buffer, size_t size, size_t count, FILE* stream) {
  real::make_ready();
  return hooks::read_items(caller_point(), size, count, stream,
                           [&] { return real::fread(buffer, size, count, stream); });
}

size_t hook___fread_chk(void* buffer, size_t room, size_t size, size_t count, FILE* stream) {
  real::make_ready();
  return hooks::read_items(caller_point(), size, count, stream,
                           [&] { return real::__fread_chk(buffer, room, size, count, stream); });
}

size_t hook_fread_unlocked(void* buffer, size_t size, size_t count, FILE* stream) {
  real::make_ready();
  return hooks::read_items(caller_point(), size, count, stream,
                           [&] { return real::fread_unlocked(buffer, size, count, stream); });
}

size_t hook_fwrite(const void* buffer, size_t size, size_t count, FILE* stream) {
  real::make_ready();
  return hooks::write_items(caller_point(), size, count, stream,
                            [&] { return real::fwrite(buffer, size, count, stream); });
}

size_t hook_fwrite_unlocked(const void* buffer, size_t size, size_t count, FILE* stream) {
  real::make_ready();
  return hooks::write_items(caller_point(), size, count, stream,
                            [&] { return real::fwrite_unlocked(buffer, size, count, stream); });
}

char* hook_fgets(char* line, int room, FILE* stream) {
  real::make_ready();
  return hooks::read_line(caller_point(), stream, [&] { return real::fgets(line, room, stream); });
}

char* hook___fgets_chk(char* line, size_t space, int room, FILE* stream) {
  real::make_ready();
  return hooks::read_line(caller_point(), stream,
                          [&] { return real::__fgets_chk(line, space, room, stream); });
}

ssize_t hook_getline(char** line, size_t* room, FILE* stream) {
  real::make_ready();
  return hooks::read_until(caller_point(), stream, '\n',
                           [&] { return real::getline(line, room, stream); });
}

ssize_t hook_getdelim(char** line, size_t* room, int delimiter, FILE* stream) {
  real::make_ready();
  return hooks::read_until(caller_point(), stream, delimiter,
                           [&] { return real::getdelim(line, room, delimiter, stream); });
}

ssize_t hook___getdelim(char** line, size_t* room, int delimiter, FILE* stream) {
  real::make_ready();
  return hooks::read_until(caller_point(), stream, delimiter,
                           [&] { return real::__getdelim(line, room, delimiter, stream); });
}

int hook_fputs(const char* text, FILE* stream) {
  real::make_ready();
  if (!hooks::records_writes() || !hooks::is_plain(stream)) {
    return real::fputs(text, stream);
  }
  const auto bytes = static_cast<std::int64_t>(std::strlen(text));
  if (hooks::fits(stream, static_cast<std::uint64_t>(bytes))) {
    return real::fputs(text, stream);
  }
  return hooks::write_stream<Operation::k_fputs>(
      caller_point(), stream, [&] { return real::fputs(text, stream); },
      [&](int result) { return result < 0 ? 0 : bytes; });
}

int hook_puts(const char* text) {
  real::make_ready();
  if (!hooks::records_writes() || !hooks::is_plain(stdout)) {
    return real::puts(text);
  }
  const auto bytes = static_cast<std::int64_t>(std::strlen(text)) + 1;
  if (hooks::fits(stdout, static_cast<std::uint64_t>(bytes))) {
    return real::puts(text);
  }
  return hooks::write_stream<Operation::k_puts>(
      caller_point(), stdout, [&] { return real::puts(text); },
      [&](int result) { return result < 0 ? 0 : bytes; });
}

}  // extern "C"
