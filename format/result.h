// SPDX-License-Identifier: Apache-2.0
// result.h - a value or the reason why there is none.
//
// Has the names of std::expected, which clang 14 cannot compile yet, so that moving there is an
// alias.
//
//   Where    everywhere outside the target.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace spyglass {

enum class ErrorKind {
  kUsage,    // the request makes no sense
  kSystem,   // the operating system refused
  kFormat,   // not a recording, or not one that this version reads
  kDamaged,  // a recording with bad bytes
};

struct Error {
  ErrorKind kind = ErrorKind::kSystem;
  std::string what;          // one line, no "spyglass: " in front, no full stop
  std::uint64_t offset = 0;  // in the file, where that means something
};

template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit on purpose: a function returns the value or the error as it is.
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Requires: has_value().
  T& value() { return *std::get_if<0>(&state_); }
  const T& value() const { return *std::get_if<0>(&state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires: !has_value().
  const Error& error() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Error> state_;
};

struct Unit {};
using Status = Result<Unit>;

}  // namespace spyglass
