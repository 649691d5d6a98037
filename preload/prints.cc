// SPDX-License-Identifier: Apache-2.0
// printf and its like on streams and descriptors, with the checks of _FORTIFY_SOURCE and without.
//
// How long the text gets is known only afterwards. Where there is room for most texts, the call is
// passed on; should it have written all the same, that is told as a call that took no time.
#include <cstdarg>

#include "preload/stream_call.h"

namespace spyglass::hooks {
namespace {

constexpr std::uint64_t kMostTexts = 512;

std::int64_t printed(int result) { return result < 0 ? 0 : result; }

template <Operation kOperation, typename Print>
[[gnu::always_inline]] inline int print(const StackPoint& caller, FILE* stream, Print print_it) {
  if (!records_writes() || !is_plain(stream)) {
    return print_it();
  }
  if (!fits(stream, kMostTexts)) {
    return write_stream<kOperation>(caller, stream, print_it, printed);
  }
  const Buffered before = buffered(stream);
  const int result = print_it();
  const OperationResult outcome = written(stream, before, printed(result));
  if (outcome.bytes != 0 || outcome.failed) {
    record_call<kOperation>(
        caller, [&] { return runtime::descriptor_object(stream->_fileno, caller.pc - 1); },
        [&] { return result; }, [&](int /*result*/) { return outcome; });
  }
  return result;
}

template <typename Print>
[[gnu::always_inline]] inline int print_to(const StackPoint& caller, int fd, Print print_it) {
  return record_call<Operation::k_dprintf>(
      caller, [&] { return runtime::descriptor_object(fd, caller.pc - 1); }, print_it,
      outcome_of_transfer<int>);
}

}  // namespace
}  // namespace spyglass::hooks

namespace hooks = spyglass::hooks;
namespace real = spyglass::real;
using spyglass::format::Operation;
using spyglass::runtime::caller_point;

// Numbers with a point come in vector registers, which our code does without: here they are saved
// for who reads the list.
#define SPYGLASS_WITH_FLOATS [[gnu::target("sse2")]]

extern "C" {

SPYGLASS_WITH_FLOATS int hook_printf(const char* format, ...) {
  real::make_ready();
  va_list values;
  va_start(values, format);
  const int result = hooks::print<Operation::k_printf>(
      caller_point(), stdout, [&] { return real::vfprintf(stdout, format, values); });
  va_end(values);
  return result;
}

int hook_vprintf(const char* format, va_list values) {
  real::make_ready();
  return hooks::print<Operation::k_printf>(caller_point(), stdout,
                                           [&] { return real::vfprintf(stdout, format, values); });
}

SPYGLASS_WITH_FLOATS int hook_fprintf(FILE* stream, const char* format, ...) {
  real::make_ready();
  va_list values;
  va_start(values, format);
  const int result = hooks::print<Operation::k_fprintf>(
      caller_point(), stream, [&] { return real::vfprintf(stream, format, values); });
  va_end(values);
  return result;
}

int hook_vfprintf(FILE* stream, const char* format, va_list values) {
  real::make_ready();
  return hooks::print<Operation::k_fprintf>(caller_point(), stream,
                                            [&] { return real::vfprintf(stream, format, values); });
}

SPYGLASS_WITH_FLOATS int hook_dprintf(int fd, const char* format, ...) {
  real::make_ready();
  va_list values;
  va_start(values, format);
  const int result =
      hooks::print_to(caller_point(), fd, [&] { return real::vdprintf(fd, format, values); });
  va_end(values);
  return result;
}

int hook_vdprintf(int fd, const char* format, va_list values) {
  real::make_ready();
  return hooks::print_to(caller_point(), fd, [&] { return real::vdprintf(fd, format, values); });
}

SPYGLASS_WITH_FLOATS int hook___printf_chk(int check, const char* format, ...) {
  real::make_ready();
  va_list values;
  va_start(values, format);
  const int result = hooks::print<Operation::k_printf>(
      caller_point(), stdout, [&] { return real::__vfprintf_chk(stdout, check, format, values); });
  va_end(values);
  return result;
}

int hook___vprintf_chk(int check, const char* format, va_list values) {
  real::make_ready();
  return hooks::print<Operation::k_printf>(
      caller_point(), stdout, [&] { return real::__vfprintf_chk(stdout, check, format, values); });
}

SPYGLASS_WITH_FLOATS int hook___fprintf_chk(FILE* stream, int check, const char* format, ...) {
  real::make_ready();
  va_list values;
  va_start(values, format);
  const int result = hooks::print<Operation::k_fprintf>(
      caller_point(), stream, [&] { return real::__vfprintf_chk(stream, check, format, values); });
  va_end(values);
  return result;
}

int hook___vfprintf_chk(FILE* stream, int check, const char* format, va_list values) {
  real::make_ready();
  return hooks::print<Operation::k_fprintf>(
      caller_point(), stream, [&] { return real::__vfprintf_chk(stream, check, format, values); });
}

SPYGLASS_WITH_FLOATS int hook___dprintf_chk(int fd, int check, const char* format, ...) {
  real::make_ready();
  va_list values;
  va_start(values, format);
  const int result = hooks::print_to(
      caller_point(), fd, [&] { return real::__vdprintf_chk(fd, check, format, values); });
  va_end(values);
  return result;
}

int hook___vdprintf_chk(int fd, int check, const char* format, va_list values) {
  real::make_ready();
  return hooks::print_to(caller_point(), fd,
                         [&] { return real::__vdprintf_chk(fd, check, format, values); });
}

}  // extern "C"
