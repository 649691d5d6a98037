// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/unwind_area.h"

#include <sys/mman.h>

#include <atomic>

#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

constexpr std::uint64_t kAreasPerGroup = 64;  // few mappings, and little reserved for few threads
constexpr std::uint64_t kMaxGroups = 1024;
constexpr std::uint64_t kAreaBytes = (sizeof(UnwindArea) + 4095) / 4096 * 4096;

std::atomic<std::uint64_t> g_groups[kMaxGroups];

// What the calling thread found last. A forked child's thread has another lane.
__thread struct {
  const format::Lane* lane;
  UnwindArea* area;
} t_found;

std::uint64_t make_group() {
  constexpr std::uint64_t kBytes = kAreasPerGroup * kAreaBytes;
  const long mapped = kernel(SYS_mmap, 0, kBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped < 0 && mapped > -4096) {
    return 0;
  }
  kernel(SYS_madvise, mapped, kBytes, MADV_WIPEONFORK);
  // Threads touch single pages of it: huge ones would waste what they don't use.
  kernel(SYS_madvise, mapped, kBytes, MADV_NOHUGEPAGE);
  kernel(SYS_madvise, mapped, kBytes, MADV_DONTDUMP);  // core files are not the longer for it
  return static_cast<std::uint64_t>(mapped);
}

std::uint64_t group_at(std::uint64_t index) {
  std::uint64_t group = g_groups[index].load(std::memory_order_acquire);
  if (group != 0) {
    return group;
  }
  const std::uint64_t made = make_group();
  if (made == 0) {
    return 0;
  }
  // Release: whoever sees the address sees the wiping set up.
  if (!g_groups[index].compare_exchange_strong(group, made, std::memory_order_acq_rel)) {
    kernel(SYS_munmap, made, kAreasPerGroup * kAreaBytes);
    return group;
  }
  return made;
}

[[gnu::noinline]] UnwindArea* find_area(const format::Lane* lane) {
  const std::uint64_t index = index_of(lane);
  if (index / kAreasPerGroup >= kMaxGroups) {
    return nullptr;
  }
  const std::uint64_t group = group_at(index / kAreasPerGroup);
  if (group == 0) {
    return nullptr;
  }
  auto* area = reinterpret_cast<UnwindArea*>(group + index % kAreasPerGroup * kAreaBytes);
  t_found.area = area;
  asm volatile("" ::: "memory");  // a handler in between finds it itself
  t_found.lane = lane;
  return area;
}

}  // namespace

UnwindArea* area_of(const format::Lane* lane) {
  return t_found.lane == lane ? t_found.area : find_area(lane);
}

}  // namespace spyglass::runtime
