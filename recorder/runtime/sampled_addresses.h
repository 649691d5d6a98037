// SPDX-License-Identifier: Apache-2.0
// sampled_addresses.h - which blocks of memory were sampled, so that their frees are known; and how
// far it is to the next sample.
//
// Free() asks for every block and nearly always gets no, from a byte that stays in the cache. A
// sampled address lies in one of the eight places of its group; a group that is full takes no more.
//
//   Where    target side; async-signal-safe.
//   Threads  any, without locks: who frees an address is the only one that has it.
//   Memory   16 KiB that are read all the time, 1 MiB at most for the addresses, touched as used.
//   Errors   no place: remember_sample() says so.
#pragma once

#include <atomic>
#include <cstdint>

namespace spyglass::runtime {

inline constexpr unsigned kSampleGroupBits = 14;

// How many addresses each group holds.
extern std::atomic<std::uint8_t> g_sample_counts[1U << kSampleGroupBits];

inline std::uint64_t sample_group(std::uint64_t address) {
  return (address * 0x9e3779b97f4a7c15ULL) >> (64U - kSampleGroupBits);
}

[[gnu::cold, gnu::noinline]] bool finds_sample(std::uint64_t address);

inline bool knows_sample(std::uint64_t address) {
  return __builtin_expect(static_cast<long>(g_sample_counts[sample_group(address)].load(
                                                std::memory_order_relaxed) != 0),
                          0) != 0 &&
         finds_sample(address);
}
bool remember_sample(std::uint64_t address);
void forget_sample(std::uint64_t address);

// Bytes to the next sample: exponentially distributed, at least 1. `random` is the generator's
// state, not 0.
std::int64_t next_sample_distance(std::uint64_t& random, std::uint64_t mean_bytes);

}  // namespace spyglass::runtime
