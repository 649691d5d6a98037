// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/arena_owner.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <new>
#include <utility>

namespace spyglass::collector {
namespace {

using format::ArenaGeometry;
using format::ArenaHeader;
using format::Lane;
using format::ProcessSlot;

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kHugeRegion = 2U << 20U;  // what one page of page-table entries maps
constexpr std::uint64_t kNodeCellLimit = std::uint64_t{1} << 22U;  // ring records hold 22 bits
constexpr std::uint64_t kKeptStackBytes = 64U << 10U;
constexpr std::uint32_t kFewestLanes = 64;
constexpr std::uint64_t kSmallestTree = 1U << 20U;
constexpr std::uint64_t kKeptCellBytes = 256U << 10U;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) {
  return ::syscall(SYS_futex, &word, operation, value, timeout, nullptr, 0);
}

Error system_error(const char* what) {
  return Error{ErrorKind::kSystem, std::string(what) + ": " + std::strerror(errno)};
}

}  // namespace

void futex_wake_all(std::atomic<std::uint32_t>& word) { futex(word, FUTEX_WAKE, INT_MAX, nullptr); }

ArenaGeometry arena_geometry(const ArenaSizes& sizes) {
  ArenaGeometry geometry = {};
  geometry.process_count = sizes.process_count;
  geometry.lane_count = sizes.lane_count;
  const std::uint64_t ring_bytes =
      std::bit_ceil(std::clamp<std::uint64_t>(sizes.ring_bytes, kPage, std::uint64_t{1} << 30U));
  geometry.ring_records = static_cast<std::uint32_t>(ring_bytes / 16);
  geometry.cell_count = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(round_up(sizes.tree_bytes, kPage) / 64, 64, kNodeCellLimit));

  geometry.processes_offset = round_up(sizeof(ArenaHeader), kPage);
  geometry.heap_offset =
      round_up(geometry.processes_offset + sizes.process_count * sizeof(ProcessSlot), kHugeRegion);
  geometry.heap_bytes = round_up(sizes.heap_bytes, kPage);
  geometry.lanes_offset = round_up(geometry.heap_offset + geometry.heap_bytes, kHugeRegion);

  // The stack grows down to and everything else up from the header, half a region above a border: a
  // thread that does little touches pages of one region only.
  geometry.lane_header_offset =
      round_up(sizes.stack_entries * sizeof(format::Entry), kHugeRegion) + kHugeRegion / 4;
  geometry.stack_entries =
      static_cast<std::uint32_t>(geometry.lane_header_offset / sizeof(format::Entry));
  geometry.lane_ring_offset = geometry.lane_header_offset + format::kLookupDistance +
                              round_up(format::kLookupEntries * sizeof(std::uint32_t), kPage);
  geometry.lane_cells_offset = geometry.lane_ring_offset + ring_bytes;
  geometry.lane_bytes =
      round_up(geometry.lane_cells_offset + std::uint64_t{geometry.cell_count} * 64, kHugeRegion);
  geometry.arena_bytes = geometry.lanes_offset + geometry.lane_bytes * sizes.lane_count;
  return geometry;
}

Arena::Arena(UniqueFd fd, std::byte* base, const ArenaGeometry& geometry)
    : fd_(std::move(fd)), base_(base), geometry_(geometry) {}

Arena::Arena(Arena&& other) noexcept
    : fd_(std::move(other.fd_)),
      base_(std::exchange(other.base_, nullptr)),
      geometry_(other.geometry_) {}

Arena::~Arena() {
  if (base_ != nullptr) {
    ::munmap(base_, geometry_.arena_bytes);
  }
}

Result<Arena> Arena::create(const ArenaSizes& sizes, const format::RecordingOptions& options) {
  // Address space may be short (RLIMIT_AS, sanitizers): half the lanes, or half of a tree, are
  // better than none.
  ArenaSizes fewer = sizes;
  for (;;) {
    errno = 0;
    Result<Arena> arena = create_once(fewer, options);
    if (arena || errno != ENOMEM ||
        (fewer.lane_count <= kFewestLanes && fewer.tree_bytes <= kSmallestTree)) {
      return arena;
    }
    if (fewer.lane_count > kFewestLanes) {
      fewer.lane_count /= 2;
    } else {
      fewer.tree_bytes /= 2;
    }
  }
}

Result<Arena> Arena::create_once(const ArenaSizes& sizes, const format::RecordingOptions& options) {
  const ArenaGeometry geometry = arena_geometry(sizes);
  UniqueFd fd(::memfd_create("spyglass", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) {
    return system_error("cannot create shared memory");
  }
  if (::ftruncate(fd.get(), static_cast<off_t>(geometry.arena_bytes)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return system_error("cannot size the shared memory");
  }
  void* base = ::mmap(nullptr, geometry.arena_bytes, PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (base == MAP_FAILED) {
    return system_error("cannot map the shared memory");
  }
  Arena arena(std::move(fd), static_cast<std::byte*>(base), geometry);
  auto* header = new (base) ArenaHeader{};
  header->version = format::kArenaVersion;
  header->layout = format::layout_fingerprint();
  header->geometry = geometry;
  header->options = options;
  header->heap_used_bytes.store(64);  // reference 0 means none
  header->magic = format::kArenaMagic;
  return arena;
}

ArenaHeader& Arena::header() const { return *reinterpret_cast<ArenaHeader*>(base_); }

std::uint32_t Arena::lanes_used() const {
  return std::min(header().lanes_used.load(std::memory_order_acquire), geometry_.lane_count);
}

std::uint32_t Arena::processes_used() const {
  return std::min(header().processes_used.load(std::memory_order_acquire), geometry_.process_count);
}

std::byte* Arena::slot(std::uint32_t lane) const {
  return base_ + geometry_.lanes_offset + geometry_.lane_bytes * lane;
}

Lane& Arena::lane(std::uint32_t index) const {
  return *reinterpret_cast<Lane*>(slot(index) + geometry_.lane_header_offset);
}

ProcessSlot& Arena::process(std::uint32_t index) const {
  return reinterpret_cast<ProcessSlot*>(base_ + geometry_.processes_offset)[index];
}

std::uint64_t* Arena::ring(std::uint32_t lane) const {
  return reinterpret_cast<std::uint64_t*>(slot(lane) + geometry_.lane_ring_offset);
}

const format::Entry* Arena::stack(std::uint32_t lane) const {
  return reinterpret_cast<const format::Entry*>(slot(lane));
}

std::byte* Arena::cell(std::uint32_t lane, std::uint32_t index, std::uint32_t cells) const {
  if (index < format::kRootCell || index >= geometry_.cell_count ||
      cells > geometry_.cell_count - index) {
    return nullptr;
  }
  return slot(lane) + geometry_.lane_cells_offset + std::uint64_t{index} * 64;
}

format::Node* Arena::node(std::uint32_t lane, std::uint32_t index) const {
  return reinterpret_cast<format::Node*>(cell(lane, index, 2));
}

std::span<std::byte> Arena::heap() const {
  return {base_ + geometry_.heap_offset, geometry_.heap_bytes};
}

format::ModuleRecord* Arena::module(std::uint32_t reference) const {
  const std::uint64_t offset = std::uint64_t{reference} * 64;
  if (reference == 0 || offset + sizeof(format::ModuleRecord) > geometry_.heap_bytes) {
    return nullptr;
  }
  return reinterpret_cast<format::ModuleRecord*>(heap().data() + offset);
}

std::uint64_t Arena::allocate_heap(std::uint64_t bytes) const {
  bytes = round_up(bytes, 64);
  std::atomic<std::uint64_t>& used = header().heap_used_bytes;
  std::uint64_t offset = used.load();
  do {
    if (offset > geometry_.heap_bytes || bytes > geometry_.heap_bytes - offset ||
        offset % 64 != 0) {
      return 0;
    }
  } while (!used.compare_exchange_weak(offset, offset + bytes));
  return offset;
}

bool Arena::claim_process(std::uint32_t& index) const {
  format::FreeStack& stack = header().free_processes;
  std::uint64_t head = stack.head.load();
  while ((head & 0xffffffffU) != 0) {
    const auto candidate = static_cast<std::uint32_t>(head) - 1;
    if (candidate >= geometry_.process_count) {
      break;  // scribbled over
    }
    const std::uint64_t next = peek(process(candidate).next_free);
    if (stack.head.compare_exchange_weak(head, ((head >> 32U) + 1) << 32U | next)) {
      index = candidate;
      return true;
    }
  }
  std::atomic<std::uint32_t>& used = header().processes_used;
  std::uint32_t count = used.load();
  do {
    if (count >= geometry_.process_count) {
      return false;
    }
  } while (!used.compare_exchange_weak(count, count + 1));
  index = count;
  return true;
}

void Arena::push_free(format::FreeStack& stack, std::uint32_t index, std::uint32_t& next) const {
  std::uint64_t head = stack.head.load();
  do {
    __atomic_store_n(&next, static_cast<std::uint32_t>(head), __ATOMIC_RELAXED);
  } while (!stack.head.compare_exchange_weak(
      head, ((head >> 32U) + 1) << 32U | (std::uint64_t{index} + 1)));
}

void Arena::free_process(std::uint32_t index) const {
  ProcessSlot& freed = process(index);
  freed.~ProcessSlot();
  new (&freed) ProcessSlot{};
  push_free(header().free_processes, index, freed.next_free);
}

// A claimed lane empties itself, so memory is only given back when its last thread used much of it.
void Arena::trim_lane_memory(std::uint32_t index) const {
  std::byte* start = slot(index);
  const auto drop = [&](std::byte* from, std::uint64_t bytes) {
    ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                static_cast<off_t>(from - base_), static_cast<off_t>(bytes));
  };
  // Stack pages are touched from the top down, so one page tells about all below it.
  std::byte* kept_stack = start + geometry_.lane_header_offset - kKeptStackBytes;
  unsigned char resident = 0;
  if (::mincore(kept_stack - kPage, kPage, &resident) == 0 && (resident & 1U) != 0) {
    drop(start, static_cast<std::uint64_t>(kept_stack - start));
  }
  const std::uint64_t all_bytes = std::uint64_t{geometry_.cell_count} * 64;
  const std::uint64_t used_bytes =
      std::min<std::uint64_t>(std::uint64_t{peek(lane(index).cells_used)} * 64, all_bytes);
  if (used_bytes > kKeptCellBytes) {
    drop(start + geometry_.lane_cells_offset + kKeptCellBytes,
         round_up(used_bytes - kKeptCellBytes, kPage));
  }
}

void Arena::free_lane(std::uint32_t index, std::uint64_t ring_position) const {
  trim_lane_memory(index);
  Lane& freed = lane(index);
  // The next owner's positions go on from here.
  freed.ring_tail.store(ring_position, std::memory_order_relaxed);
  __atomic_store_n(&freed.process_slot, ~std::uint32_t{0}, __ATOMIC_RELAXED);
  freed.state.store(format::LaneState::kFree, std::memory_order_release);
  push_free(header().free_lanes, index, freed.next_free);
}

void Arena::lock_alive_mutex() const {
  static_assert(sizeof(pthread_mutex_t) <= 64);  // what the header keeps for it
  auto* mutex = reinterpret_cast<pthread_mutex_t*>(&header().collector_alive);
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(mutex, &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  ::pthread_mutex_lock(mutex);
}

void Arena::wake_collector() const {
  header().doorbell.fetch_add(1);
  futex_wake_all(header().doorbell);
}

void Arena::wait_doorbell(std::uint32_t seen, std::uint64_t timeout_ns) const {
  header().collector_sleeping.store(1);
  const timespec timeout = {static_cast<time_t>(timeout_ns / 1'000'000'000U),
                            static_cast<long>(timeout_ns % 1'000'000'000U)};
  if (header().doorbell.load() == seen) {
    futex(header().doorbell, FUTEX_WAIT, seen, &timeout);
  }
  header().collector_sleeping.store(0);
}

}  // namespace spyglass::collector
