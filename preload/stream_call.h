// SPDX-License-Identifier: Apache-2.0
// stream_call.h - a call that may make a stream of stdio read or write its descriptor, recorded.
//
// libc does that by ways that cannot be interposed, so the calls that may come to it are recorded,
// with the bytes that the descriptor moved, not those that the caller got. What the buffer can
// answer is passed on and costs next to nothing.
//
//   Where    preload/; inlined into the hooks, see operation_call.h.
#pragma once

#include <cstdint>
#include <cstring>

#include "preload/hook.h"
#include "preload/operation_call.h"
#include "recorder/runtime/descriptors.h"

namespace spyglass::hooks {

// Bits of FILE::_flags, which every binary that used the getc() macro knows.
inline constexpr int kUnbuffered = 0x2;
inline constexpr int kFailed = 0x20;
inline constexpr int kLineBuffered = 0x200;
inline constexpr int kWriting = 0x800;

// What FILE::_lock points to.
struct StreamLock {
  int state;  // 0: free
  int depth;
  void* owner;  // a thread's descriptor
};

// What a stream holds: a look without its lock, as good as what it decides.
struct Buffered {
  std::int64_t unread;
  std::int64_t unwritten;
  std::int64_t room;
  bool failed;
  bool may_change;  // another thread is at it
};

inline bool is_others(const FILE* stream) {
  const auto* lock = static_cast<const volatile StreamLock*>(stream->_lock);
  return lock != nullptr && lock->state != 0 && lock->owner != __builtin_thread_pointer();
}

inline Buffered buffered(const FILE* stream) {
  const bool writing = (stream->_flags & kWriting) != 0;
  return {writing ? 0 : stream->_IO_read_end - stream->_IO_read_ptr,
          writing ? stream->_IO_write_ptr - stream->_IO_write_base : 0,
          writing ? stream->_IO_buf_end - stream->_IO_write_ptr : 0,
          (stream->_flags & kFailed) != 0, is_others(stream)};
}

inline bool is_plain(const FILE* stream) { return stream->_fileno >= 0 && stream->_mode <= 0; }

inline std::uint64_t at_least_0(std::int64_t value) {
  return value > 0 ? static_cast<std::uint64_t>(value) : 0;
}

inline bool fits(const FILE* stream, std::uint64_t bytes) {
  return (stream->_flags & (kUnbuffered | kLineBuffered)) == 0 &&
         bytes < at_least_0(buffered(stream).room);
}

// `gotten`: how many bytes the caller has of the result.
template <Operation kOperation, typename Call, typename Gotten>
[[gnu::always_inline]] inline auto read_stream(const StackPoint& caller, FILE* stream, Call call,
                                               Gotten gotten) {
  const Buffered before = buffered(stream);
  return record_call<kOperation>(
      caller, [&] { return runtime::descriptor_object(stream->_fileno, caller.pc - 1); }, call,
      [&](auto result) -> OperationResult {
        const Buffered after = buffered(stream);
        return {at_least_0(gotten(result) - before.unread + after.unread),
                after.failed && !before.failed};
      });
}

// What the call that took `given` bytes moved. Where it had to wait for the stream, another's call
// moved what was there before: this one's moved something if less is left than was given, as much
// as the buffer holds.
inline std::uint64_t bytes_moved(const FILE* stream, const Buffered& before, const Buffered& after,
                                 std::int64_t given) {
  if (!before.may_change) {
    return at_least_0(before.unwritten + given - after.unwritten);
  }
  const std::int64_t own = given - after.unwritten;
  const bool by_block = (stream->_flags & (kUnbuffered | kLineBuffered)) == 0;
  return own > 0 && by_block && own < after.unwritten + after.room
             ? at_least_0(after.unwritten + after.room)
             : at_least_0(own);
}

// `given`: how many bytes of the caller's the stream took.
inline OperationResult written(const FILE* stream, const Buffered& before, std::int64_t given) {
  const Buffered after = buffered(stream);
  return {bytes_moved(stream, before, after, given), after.failed && !before.failed};
}

// `given`: the same as the result says it.
template <Operation kOperation, typename Call, typename Given>
[[gnu::always_inline]] inline auto write_stream(const StackPoint& caller, FILE* stream, Call call,
                                                Given given) {
  const Buffered before = buffered(stream);
  return record_call<kOperation>(
      caller, [&] { return runtime::descriptor_object(stream->_fileno, caller.pc - 1); }, call,
      [&](auto result) { return written(stream, before, given(result)); });
}

inline bool records_reads() { return runtime::records(format::OperationClass::kRead); }
inline bool records_writes() { return runtime::records(format::OperationClass::kWrite); }

}  // namespace spyglass::hooks
