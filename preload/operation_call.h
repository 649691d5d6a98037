// SPDX-License-Identifier: Apache-2.0
// operation_call.h - a hook's call of the real function, recorded.
//
//   return record_call<Operation::k_fsync>(
//       caller_point(), [&] { return descriptor_object(fd, pc); }, [&] { return real::fsync(fd); },
//       outcome_of_call<int>);
//
// Nothing is held across the real call: cancellation, exceptions and longjmp may unwind through it.
//
//   Where    preload/; everything is inlined into the hook, whose frame caller_point() describes.
//   Errors   errno is what the real function left.
#pragma once

#include <cerrno>
#include <cstdint>

#include "preload/real.h"
#include "recorder/runtime/operation.h"

namespace spyglass::hooks {

using format::Operation;
using runtime::OperationResult;
using runtime::StackPoint;

constexpr format::OperationClass class_of(Operation operation) {
  return format::kOperations[static_cast<std::uint32_t>(operation)].kind;
}

// `object`: gives the reference of what is acted on; called only if the call is recorded.
// `outcome`: OperationResult of what the real function returned.
template <Operation kOperation, typename Object, typename Call, typename Outcome>
[[gnu::always_inline]] inline auto record_call(const StackPoint& caller, Object object, Call call,
                                               Outcome outcome) {
  if (!runtime::records(class_of(kOperation))) {
    return call();
  }
  const runtime::OpenOperation open = runtime::begin_operation(kOperation, caller, object());
  const auto result = call();
  runtime::end_operation(open, outcome(result));
  return result;
}

// The same where the arguments that name the object can be trusted only after the kernel read them.
// `object` gets the result, and errno if that failed.
template <Operation kOperation, typename Call, typename Object, typename Outcome>
[[gnu::always_inline]] inline auto record_named_call(const StackPoint& caller, Call call,
                                                     Object object, Outcome outcome) {
  if (!runtime::records(class_of(kOperation))) {
    return call();
  }
  runtime::OpenOperation open = runtime::begin_operation(kOperation, caller, 0);
  const auto result = call();
  if (result >= 0 || errno != EFAULT) {
    runtime::set_object(open, object(result));
  }
  runtime::end_operation(open, outcome(result));
  return result;
}

// Not failures: there is nothing to read yet, a signal came, a connection is being made.
inline bool is_failure(int error) {
  return error != EAGAIN && error != EINTR && error != EINPROGRESS;
}

// Of functions that return -1 and set errno, and what they moved otherwise.
template <typename Result>
inline OperationResult outcome_of_transfer(Result result) {
  if (result < 0) {
    return {0, is_failure(errno)};
  }
  return {static_cast<std::uint64_t>(result), false};
}

// Of functions that return -1 and set errno.
template <typename Result>
inline OperationResult outcome_of_call(Result result) {
  return {0, result < 0 && is_failure(errno)};
}

// Of functions that return the error; that time ran out is none.
inline OperationResult outcome_of_error(int error) {
  return {0, error != 0 && error != ETIMEDOUT && error != EBUSY && error != EINTR};
}

inline std::uint32_t no_object() { return 0; }

}  // namespace spyglass::hooks
