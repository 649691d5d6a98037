// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/address_limit.h"

#include <sys/resource.h>

#include <atomic>

#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

// No limit that anybody sets: where one this large is inherited, an earlier program of this process
// raised it, and its mapping is gone.
constexpr std::uint64_t kImplausible = std::uint64_t{1} << 38U;

constinit std::atomic<std::uint64_t> g_mapped_bytes = {0};
// Whether the kernel's limits are above the program's by so much.
constinit std::atomic<bool> g_raised = {false};

// A limit that the program took from its own size, as the kernel tells it, counts the arena
// already.
std::uint64_t raise(std::uint64_t limit, std::uint64_t bytes) {
  const bool counts_us = bytes >= kImplausible && limit >= bytes;
  return counts_us || limit >= kUnlimited - bytes ? limit : limit + bytes;
}

std::uint64_t lower(std::uint64_t limit, std::uint64_t bytes) {
  return limit == kUnlimited || limit < bytes ? limit : limit - bytes;
}

bool set_limit(const AddressLimit& limit) {
  return kernel(SYS_prlimit64, 0, RLIMIT_AS, &limit, 0) == 0;
}

}  // namespace

std::uint64_t make_room_under_limit(std::uint64_t bytes) {
  AddressLimit limit = {kUnlimited, kUnlimited};
  kernel(SYS_prlimit64, 0, RLIMIT_AS, 0, &limit);
  const bool inherited = bytes >= kImplausible && limit.soft > bytes;
  if (inherited || set_limit({raise(limit.soft, bytes), raise(limit.hard, bytes)})) {
    g_mapped_bytes.store(bytes, std::memory_order_relaxed);
    note_limit(true);
    return bytes;
  }
  // Without privilege the hard limit can't be raised: a part of what is left up to that, or of all.
  const std::uint64_t spare = limit.hard - limit.soft;
  const std::uint64_t some = spare != 0 ? spare : limit.soft / 8;
  const std::uint64_t share = some < bytes ? some : bytes;
  g_mapped_bytes.store(share, std::memory_order_relaxed);
  note_limit(spare != 0 && set_limit({limit.soft + share, limit.hard}));
  return share;
}

AddressLimit limit_for_kernel(const AddressLimit& limit) {
  const std::uint64_t bytes = g_mapped_bytes.load(std::memory_order_relaxed);
  return {raise(limit.soft, bytes), raise(limit.hard, bytes)};
}

void note_limit(bool raised) { g_raised.store(raised, std::memory_order_relaxed); }

AddressLimit limit_for_program(const AddressLimit& limit) {
  const bool raised = g_raised.load(std::memory_order_relaxed);
  const std::uint64_t bytes = raised ? g_mapped_bytes.load(std::memory_order_relaxed) : 0;
  return {lower(limit.soft, bytes), lower(limit.hard, bytes)};
}

}  // namespace spyglass::runtime
