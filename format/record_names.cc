// SPDX-License-Identifier: Apache-2.0
#include "format/record_names.h"

#include <cstddef>
#include <iterator>

namespace spyglass::format {
namespace {

template <std::size_t N>
std::string_view pick(const std::string_view (&names)[N], std::size_t number) {
  return number < N ? names[number] : std::string_view("unknown");
}

}  // namespace

std::string_view metric_name(Metric metric) {
  constexpr std::string_view kNames[] = {"unknown",     "samples",         "bytes",
                                         "errors",      "hold_ticks",      "holds",
                                         "allocations", "allocated_bytes", "frees"};
  return pick(kNames, static_cast<std::size_t>(metric));
}

std::string_view event_kind_name(EventKind kind) {
  constexpr std::string_view kNames[] = {"unknown",   "sample",       "contention",
                                         "exception", "fatal_signal", "lock_order"};
  return pick(kNames, static_cast<std::size_t>(kind));
}

std::string_view allocation_kind_name(AllocationKind kind) {
  constexpr std::string_view kNames[] = {"allocate", "free", "move_from",
                                         "move_to",  "map",  "unmap"};
  return pick(kNames, static_cast<std::size_t>(kind));
}

std::string_view object_kind_name(ObjectKind kind) {
  constexpr std::string_view kNames[] = {"unknown", "lock",           "file",       "pipe",
                                         "socket",  "terminal",       "descriptor", "thread",
                                         "process", "exception type", "module",     "signal"};
  return pick(kNames, static_cast<std::size_t>(kind));
}

}  // namespace spyglass::format
