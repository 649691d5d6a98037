// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/objects.h"

#include <atomic>
#include <cstddef>
#include <cstring>

#include "recorder/runtime/modules.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"

namespace spyglass::runtime {
namespace {

using format::ObjectKind;
using format::ObjectRecord;

constexpr std::uint64_t kHeapUnit = 64;
constexpr std::uint32_t kSlots = 16384;  // power of two
constexpr std::uint32_t kMostObjects = kSlots / 4 * 3;
constexpr std::uint32_t kMostFiles = 4096;  // then by folder
constexpr std::uint32_t kMostProbes = 64;
constexpr std::uint32_t kLongestName = 1024;

// A slot: the upper half of the hash and, below, the reference; 0: free.
constinit std::atomic<std::uint64_t> g_slots[kSlots] = {};
constinit std::atomic<std::uint32_t> g_objects = 0;
constinit std::atomic<std::uint32_t> g_files = 0;

struct Identity {
  ObjectKind kind;
  std::uint64_t address;
  const char* name;
  std::uint32_t name_bytes;
};

std::uint64_t hash_of(const Identity& object) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ static_cast<std::uint64_t>(object.kind);
  for (std::uint32_t i = 0; i < object.name_bytes; ++i) {
    hash = (hash ^ static_cast<unsigned char>(object.name[i])) * 0x100000001b3ULL;
  }
  hash = (hash ^ object.address) * 0x9e3779b97f4a7c15ULL;
  return hash ^ hash >> 29U;
}

ObjectRecord* object_at(std::uint32_t reference) {
  return reinterpret_cast<ObjectRecord*>(reinterpret_cast<std::uint64_t>(g_session.arena) +
                                         g_session.arena->geometry.heap_offset +
                                         reference * kHeapUnit);
}

bool is_same(const ObjectRecord& record, const Identity& object) {
  return record.kind == static_cast<std::uint32_t>(object.kind) &&
         record.address == object.address && record.name_bytes == object.name_bytes &&
         std::memcmp(&record + 1, object.name, object.name_bytes) == 0;
}

// Objects may take half of the heap: the other half is for modules, without which nothing has a
// name.
std::uint32_t take_heap(std::uint64_t bytes) {
  const std::uint64_t rounded = (bytes + kHeapUnit - 1) / kHeapUnit * kHeapUnit;
  format::ArenaHeader* arena = g_session.arena;
  const std::uint64_t limit = arena->geometry.heap_bytes / 2;
  if (arena->heap_used_bytes.load(std::memory_order_relaxed) + rounded > limit) {
    return 0;
  }
  const std::uint64_t offset = arena->heap_used_bytes.fetch_add(rounded, std::memory_order_relaxed);
  const std::uint64_t end = arena->geometry.heap_offset + offset + rounded;
  if (offset + rounded > arena->geometry.heap_bytes || end > g_session.mapped_bytes) {
    return 0;
  }
  return static_cast<std::uint32_t>(offset / kHeapUnit);
}

std::uint32_t write_record(const Identity& object, std::uint64_t pc) {
  const std::uint32_t reference = take_heap(sizeof(ObjectRecord) + object.name_bytes);
  if (reference == 0) {
    return 0;
  }
  ObjectRecord* record = object_at(reference);
  record->kind = static_cast<std::uint32_t>(object.kind);
  record->process_slot = g_session.process_slot;
  record->address = object.address;
  record->pc = pc;
  record->module = object.address == 0 ? 0 : module_of(object.address);
  record->pc_module = pc == 0 ? 0 : module_of(pc);
  record->name_bytes = object.name_bytes;
  auto* name = reinterpret_cast<char*>(record + 1);
  for (std::uint32_t i = 0; i < object.name_bytes; ++i) {
    name[i] = object.name[i];
  }
  return reference;
}

// The reference of an object; 0 if it is new and `limit` says that there are enough.
std::uint32_t find_or_add(const Identity& object, std::uint64_t pc, bool may_add) {
  const std::uint64_t hash = hash_of(object);
  const std::uint64_t tag = hash >> 32U << 32U;
  std::uint32_t added = 0;
  for (std::uint32_t probe = 0; probe < kMostProbes; ++probe) {
    std::atomic<std::uint64_t>& slot = g_slots[(hash + probe) % kSlots];
    std::uint64_t seen = slot.load(std::memory_order_acquire);
    if (seen == 0) {
      if (!may_add) {
        return 0;
      }
      added = added != 0 ? added : write_record(object, pc);
      // Release: whoever finds the reference sees the record whole.
      if (added == 0 ||
          slot.compare_exchange_strong(seen, tag | added, std::memory_order_acq_rel)) {
        g_objects.fetch_add(added != 0 ? 1 : 0, std::memory_order_relaxed);
        return added;
      }
    }
    const auto reference = static_cast<std::uint32_t>(seen);
    if ((seen >> 32U << 32U) == tag && is_same(*object_at(reference), object)) {
      return reference;  // what was added meanwhile stays unused
    }
  }
  return 0;
}

}  // namespace

std::uint32_t find_object(ObjectKind kind, std::uint64_t address, const char* name,
                          std::uint32_t name_bytes, std::uint64_t pc) {
  const Identity object = {kind, address, name,
                           name_bytes < kLongestName ? name_bytes : kLongestName};
  return find_or_add(object, pc, g_objects.load(std::memory_order_relaxed) < kMostObjects);
}

std::uint32_t find_file(const char* path, std::uint64_t pc) {
  const auto bytes = static_cast<std::uint32_t>(strnlen(path, kLongestName));
  const Identity file = {ObjectKind::kFile, 0, path, bytes};
  const bool has_room = g_files.load(std::memory_order_relaxed) < kMostFiles;
  const std::uint32_t before = g_objects.load(std::memory_order_relaxed);
  if (const std::uint32_t found = find_or_add(file, pc, has_room)) {
    const std::uint32_t now = g_objects.load(std::memory_order_relaxed);
    g_files.fetch_add(now != before ? 1 : 0, std::memory_order_relaxed);
    return found;
  }
  std::uint32_t folder_bytes = bytes;
  while (folder_bytes != 0 && path[folder_bytes - 1] != '/') {
    --folder_bytes;
  }
  return folder_bytes == 0 ? 0 : find_object(ObjectKind::kFile, 0, path, folder_bytes, pc);
}

}  // namespace spyglass::runtime
