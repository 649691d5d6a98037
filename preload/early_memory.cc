// SPDX-License-Identifier: Apache-2.0
#include "preload/early_memory.h"

#include <atomic>

#include "format/arena.h"
#include "preload/symbol_search.h"

namespace spyglass::hooks {

alignas(4096) constinit char g_early_memory[kEarlyBytes] = {};

namespace {

constexpr std::size_t kHeaderBytes = 16;  // the size stands right before a block

constinit std::atomic<std::size_t> g_used = {0};

// Null until the loader has put this library's addresses in place.
const void* const volatile kPlaced = &g_early_memory;

}  // namespace

void* allocate_early(std::size_t bytes, std::size_t alignment) {
  alignment = alignment < kHeaderBytes ? kHeaderBytes : alignment;
  if (bytes > kEarlyBytes || alignment > kEarlyBytes) {
    return nullptr;
  }
  const std::size_t room =
      (bytes + kHeaderBytes + alignment + kHeaderBytes - 1) & ~(kHeaderBytes - 1);
  const std::size_t start = g_used.fetch_add(room, std::memory_order_relaxed);
  if (start > kEarlyBytes - room || room > kEarlyBytes) {
    g_used.fetch_sub(room, std::memory_order_relaxed);
    return nullptr;
  }
  auto address = reinterpret_cast<std::uint64_t>(g_early_memory) + start + kHeaderBytes;
  address = (address + alignment - 1) & ~(std::uint64_t{alignment} - 1);
  *reinterpret_cast<std::size_t*>(address - sizeof(std::size_t)) = bytes;
  return reinterpret_cast<void*>(address);
}

std::size_t size_of_early(const void* block) {
  return *(static_cast<const std::size_t*>(block) - 1);
}

bool find_allocator() {
  if (kPlaced == nullptr || real::g_resolving) {
    return kPlaced != nullptr && real::malloc != nullptr && real::free != nullptr &&
           real::calloc != nullptr && real::realloc != nullptr;
  }
  real::make_ready();
  return true;
}

std::uint32_t allocator_traits() {
  std::uint32_t traits = 0;
  traits |= is_ours_first("malloc") ? 0 : format::kAllocatorOwn;
  traits |= is_defined_elsewhere("mallocx") ? format::kAllocatorJemalloc : 0;
  traits |= is_defined_elsewhere("tc_malloc") ? format::kAllocatorTcmalloc : 0;
  traits |= is_defined_elsewhere("mi_malloc") ? format::kAllocatorMimalloc : 0;
  return traits;
}

}  // namespace spyglass::hooks
