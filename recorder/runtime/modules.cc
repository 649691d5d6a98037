// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/modules.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#include <cstddef>
#include <cstring>

#include "recorder/runtime/clock.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"
#include "recorder/runtime/unwind_rules.h"

namespace spyglass::runtime {
namespace {

using format::ModuleRecord;

constexpr std::uint64_t kHeapUnit = 64;
constexpr std::uint64_t kFilterWaitNs = 100'000'000;
constexpr int kFilterWaits = 30;
constexpr std::size_t kMaxNameBytes = 4096;

constinit std::atomic<std::uint32_t> g_unload_expected = 0;

struct LoadedObject {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t bias = 0;
  const char* name = nullptr;
};

// glibc finds a program with gaps between its segments, which the kernel leaves unmapped, segment
// by segment. `out` gets its whole range.
void widen_to_program(LoadedObject& out) {
  constexpr std::uint64_t kPageBytes = 4096;
  const auto* segment = reinterpret_cast<const Elf64_Phdr*>(getauxval(AT_PHDR));
  const auto* end = segment + (segment != nullptr ? getauxval(AT_PHNUM) : 0);
  for (; segment != end; ++segment) {
    if (segment->p_type == PT_LOAD) {
      const std::uint64_t start = (segment->p_vaddr + out.bias) & ~(kPageBytes - 1);
      const std::uint64_t last = segment->p_vaddr + out.bias + segment->p_memsz;
      out.start = start < out.start ? start : out.start;
      out.end = last > out.end ? last : out.end;
    }
  }
}

bool find_loaded(std::uint64_t address, LoadedObject& out) {
  dl_find_object found = {};
  if (_dl_find_object(reinterpret_cast<void*>(address), &found) != 0) {
    return false;
  }
  out.start = reinterpret_cast<std::uint64_t>(found.dlfo_map_start);
  out.end = reinterpret_cast<std::uint64_t>(found.dlfo_map_end);
  out.bias = found.dlfo_link_map->l_addr;
  out.name = found.dlfo_link_map->l_name;
  const auto tables = reinterpret_cast<std::uint64_t>(found.dlfo_eh_frame);
  if (out.name[0] == '\0' && tables != 0 && (tables < out.start || tables >= out.end)) {
    widen_to_program(out);
  }
  return address >= out.start && address < out.end;
}

ModuleRecord* record_at(std::uint32_t reference) {
  return reinterpret_cast<ModuleRecord*>(reinterpret_cast<std::uint64_t>(g_session.arena) +
                                         g_session.arena->geometry.heap_offset +
                                         reference * kHeapUnit);
}

// Reference of `bytes` new bytes in the session's heap; 0 when it is full.
std::uint32_t take_heap(std::uint64_t bytes) {
  const std::uint64_t rounded = (bytes + kHeapUnit - 1) / kHeapUnit * kHeapUnit;
  format::ArenaHeader* arena = g_session.arena;
  const std::uint64_t offset = arena->heap_used_bytes.fetch_add(rounded, std::memory_order_relaxed);
  const std::uint64_t end = arena->geometry.heap_offset + offset + rounded;
  if (offset + rounded > arena->geometry.heap_bytes || end > g_session.mapped_bytes) {
    arena->modules_lost.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  return static_cast<std::uint32_t>(offset / kHeapUnit);
}

bool in_object(const LoadedObject& object, std::uint64_t address, std::uint64_t bytes) {
  return address >= object.start && address <= object.end && bytes <= object.end - address;
}

// The GNU build-id in one PT_NOTE segment. Returns its length.
std::uint8_t read_note(std::uint64_t note, std::uint64_t bytes, std::uint8_t (&out)[32]) {
  while (bytes >= sizeof(Elf64_Nhdr)) {
    const auto* header = reinterpret_cast<const Elf64_Nhdr*>(note);
    const std::uint64_t name_bytes = (header->n_namesz + std::uint64_t{3}) & ~std::uint64_t{3};
    const std::uint64_t content_bytes = (header->n_descsz + std::uint64_t{3}) & ~std::uint64_t{3};
    const std::uint64_t whole = sizeof(Elf64_Nhdr) + name_bytes + content_bytes;
    if (whole > bytes) {
      return 0;
    }
    const auto* name = reinterpret_cast<const char*>(note + sizeof(Elf64_Nhdr));
    if (header->n_type == NT_GNU_BUILD_ID && header->n_namesz == 4 && name[0] == 'G' &&
        name[1] == 'N' && name[2] == 'U' && header->n_descsz <= sizeof(out)) {
      const auto* id =
          reinterpret_cast<const std::uint8_t*>(note + sizeof(Elf64_Nhdr) + name_bytes);
      for (std::uint32_t i = 0; i < header->n_descsz; ++i) {
        out[i] = id[i];
      }
      return static_cast<std::uint8_t>(header->n_descsz);
    }
    note += whole;
    bytes -= whole;
  }
  return 0;
}

// Read from memory rather than from the file, which may have been replaced since it was mapped.
std::uint8_t read_build_id(const LoadedObject& object, std::uint8_t (&out)[32]) {
  const auto* elf = reinterpret_cast<const Elf64_Ehdr*>(object.start);
  if (!in_object(object, object.start, sizeof(Elf64_Ehdr)) ||
      std::memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 || elf->e_phentsize != sizeof(Elf64_Phdr) ||
      elf->e_phoff > 4096 - sizeof(Elf64_Phdr) ||
      elf->e_phoff + std::uint64_t{elf->e_phnum} * sizeof(Elf64_Phdr) > 4096) {
    return 0;
  }
  const auto* segments = reinterpret_cast<const Elf64_Phdr*>(object.start + elf->e_phoff);
  for (unsigned i = 0; i < elf->e_phnum; ++i) {
    const std::uint64_t note = object.bias + segments[i].p_vaddr;
    if (segments[i].p_type == PT_NOTE && in_object(object, note, segments[i].p_filesz)) {
      if (const std::uint8_t bytes = read_note(note, segments[i].p_filesz, out)) {
        return bytes;
      }
    }
  }
  return 0;
}

// Whether there still is a module in its place. Another thread may be unloading it: its link map
// can be gone at any moment, so only what the loader copied out is looked at.
bool is_loaded_yet(const ModuleRecord& record) {
  dl_find_object found = {};
  if (_dl_find_object(reinterpret_cast<void*>(record.start), &found) != 0) {
    return false;
  }
  dl_find_object program = {};
  const bool known = _dl_find_object(reinterpret_cast<void*>(getauxval(AT_ENTRY)), &program) == 0;
  if (known && found.dlfo_link_map == program.dlfo_link_map) {
    return true;  // never unloaded, and not one range where there are gaps between its segments
  }
  return reinterpret_cast<std::uint64_t>(found.dlfo_map_start) == record.start &&
         reinterpret_cast<std::uint64_t>(found.dlfo_map_end) == record.end;
}

bool same_range(const ModuleRecord& record, const LoadedObject& object) {
  return record.start == object.start && record.end == object.end && record.bias == object.bias;
}

// Links `record` as the newest of this process. Release: whoever follows the reference sees it
// whole.
void link_record(ModuleRecord* record, std::uint32_t reference) {
  std::atomic<std::uint32_t>& newest = g_session.process->newest_module;
  record->older = newest.load(std::memory_order_relaxed);
  while (!newest.compare_exchange_weak(record->older, reference, std::memory_order_release,
                                       std::memory_order_relaxed)) {
  }
}

std::uint32_t add_record(const LoadedObject& object, std::uint32_t flags) {
  std::size_t name_bytes = 0;
  if (flags == 0 && object.name != nullptr) {
    name_bytes = strnlen(object.name, kMaxNameBytes);
  }
  const std::uint32_t reference = take_heap(sizeof(ModuleRecord) + name_bytes);
  if (reference == 0) {
    return 0;
  }
  ModuleRecord* record = record_at(reference);
  record->process_slot = g_session.process_slot;
  record->start = object.start;
  record->end = object.end;
  record->bias = object.bias;
  record->load_ticks = ticks();
  record->flags.store(flags, std::memory_order_relaxed);
  record->name_bytes = static_cast<std::uint16_t>(name_bytes);
  auto* name = reinterpret_cast<char*>(record + 1);
  for (std::size_t i = 0; i < name_bytes; ++i) {
    name[i] = object.name[i];
  }
  if (flags == 0) {
    record->build_id_bytes = read_build_id(object, record->build_id);
  }
  link_record(record, reference);
  return reference;
}

bool same_file(const ModuleRecord& record, const LoadedObject& object) {
  if (object.name == nullptr) {
    return false;
  }
  std::uint8_t id[32] = {};
  const std::uint8_t id_bytes = read_build_id(object, id);
  const std::size_t name_bytes = strnlen(object.name, kMaxNameBytes);
  return id_bytes == record.build_id_bytes && std::memcmp(id, record.build_id, id_bytes) == 0 &&
         name_bytes == record.name_bytes && std::memcmp(object.name, &record + 1, name_bytes) == 0;
}

bool is_own(const ModuleRecord& record) { return record.process_slot == g_session.process_slot; }

bool is_live(std::uint32_t flags) {
  return (flags & (format::kModuleUnloaded | format::kModuleGone | format::kModuleGoing)) == 0;
}

// Of a module that is gone: true if `object` is the same file at the same place, now live again.
bool load_again(ModuleRecord* record, std::uint32_t flags, const LoadedObject& object) {
  if ((flags & format::kModuleGone) == 0 || !same_file(*record, object)) {
    return false;
  }
  const std::uint32_t live = (flags & ~format::kModuleGone) + format::kModuleLoad;
  return record->flags.compare_exchange_strong(flags, live, std::memory_order_relaxed) ||
         is_live(flags);  // another thread of it was first
}

// The newest record that still speaks of `object`; 0: none.
std::uint32_t find_record(const LoadedObject& object) {
  std::uint32_t reference = g_session.process->newest_module.load(std::memory_order_acquire);
  for (; reference != 0; reference = record_at(reference)->older) {
    ModuleRecord* record = record_at(reference);
    if (record->end <= object.start || record->start >= object.end) {
      continue;
    }
    const std::uint32_t flags = record->flags.load(std::memory_order_relaxed);
    if ((flags & format::kModuleUnloaded) != 0) {
      return 0;
    }
    if (!same_range(*record, object)) {
      continue;
    }
    // The parent may have loaded and unloaded since; what it calls gone may still be here.
    const bool holds = !is_own(*record) ? same_file(*record, object)
                                        : is_live(flags) || load_again(record, flags, object);
    if (holds) {
      return reference;
    }
  }
  return 0;
}

bool is_hidden_by_tombstone(std::uint32_t reference) {
  const ModuleRecord* hidden = record_at(reference);
  std::uint32_t newer = g_session.process->newest_module.load(std::memory_order_acquire);
  for (; newer != reference && newer != 0; newer = record_at(newer)->older) {
    const ModuleRecord* record = record_at(newer);
    if ((record->flags.load(std::memory_order_relaxed) & format::kModuleUnloaded) != 0 &&
        record->start == hidden->start && record->end == hidden->end) {
      return true;
    }
  }
  return false;
}

// Of a module with `flags`, live if it is this process's. Another thread may do the same, or even
// have loaded it again since the flags were read: then they are no longer the same, and there is
// nothing to do.
void mark_gone(ModuleRecord* record, std::uint32_t reference, std::uint32_t flags) {
  if (is_own(*record)) {
    if (record->flags.compare_exchange_strong(flags, flags | format::kModuleGoing,
                                              std::memory_order_acq_rel)) {
      retire_nodes_of(reference);
      record->flags.store(flags | format::kModuleGone, std::memory_order_release);
    }
  } else if (!is_hidden_by_tombstone(reference)) {
    LoadedObject object;
    object.start = record->start;
    object.end = record->end;
    object.bias = record->bias;
    add_record(object, format::kModuleUnloaded);  // the parent may still have it mapped
    retire_nodes_of(reference);
  }
}

// Marks the modules of which `goes(record)` is true and that were not marked before.
template <typename Goes>
void mark_gone_if(Goes goes) {
  forget_rules();
  std::uint32_t reference = g_session.process->newest_module.load(std::memory_order_acquire);
  for (; reference != 0; reference = record_at(reference)->older) {
    ModuleRecord* record = record_at(reference);
    const std::uint32_t flags = record->flags.load(std::memory_order_acquire);
    const bool may_go = is_own(*record) ? is_live(flags) : (flags & format::kModuleUnloaded) == 0;
    if (may_go && goes(*record)) {
      mark_gone(record, reference, flags);
    }
  }
  forget_rules();  // once more: stacks that were remembered meanwhile may name retired nodes
}

}  // namespace

std::uint32_t module_of(std::uint64_t address) {
  LoadedObject object;
  if (!find_loaded(address, object)) {
    return 0;
  }
  if (g_unload_expected.load(std::memory_order_relaxed) != 0 &&
      g_unload_expected.exchange(0, std::memory_order_relaxed) != 0) {
    note_unloads();
  }
  const std::uint32_t known = find_record(object);
  return known != 0 ? known : add_record(object, 0);
}

bool is_excluded(format::Lane* lane, std::uint32_t reference, std::uint64_t address) {
  if (reference == 0) {
    return false;
  }
  ModuleRecord* record = record_at(reference);
  for (int waits = 0;
       record->filter_state.load(std::memory_order_acquire) != format::kFilterResolved; ++waits) {
    const bool collector_died = (g_session.arena->collector_alive.load(std::memory_order_relaxed) &
                                 format::kOwnerDied) != 0;
    if (waits == kFilterWaits || collector_died) {
      lane->filter_timeouts += 1;
      return false;
    }
    std::uint32_t unresolved = format::kFilterUnresolved;
    record->filter_state.compare_exchange_strong(unresolved, format::kFilterRequested,
                                                 std::memory_order_relaxed);
    g_session.arena->doorbell.fetch_add(1, std::memory_order_seq_cst);
    futex_wake(&g_session.arena->doorbell, 1);
    futex_wait(&record->filter_state, format::kFilterRequested, kFilterWaitNs);
  }
  const auto* ranges = reinterpret_cast<const format::FilterRange*>(
      reinterpret_cast<std::uint64_t>(g_session.arena) + g_session.arena->geometry.heap_offset +
      record->filter_offset);
  const std::uint64_t offset = address - record->bias;
  std::uint32_t low = 0;
  std::uint32_t high = record->filter_count;
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (ranges[middle].end <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < record->filter_count && ranges[low].start <= offset;
}

void expect_unload() { g_unload_expected.store(1, std::memory_order_relaxed); }

void note_unload_at(std::uint64_t address) {
  if (g_fork_page.recording != 0) {
    mark_gone_if([&](const ModuleRecord& record) {
      return address >= record.start && address < record.end;
    });
  }
}

void note_unloads() {
  if (g_fork_page.recording != 0) {
    mark_gone_if([](const ModuleRecord& record) { return !is_loaded_yet(record); });
  }
}

std::size_t own_path(char* out, std::size_t out_bytes) {
  LoadedObject object;
  if (!find_loaded(reinterpret_cast<std::uint64_t>(&own_path), object) || object.name == nullptr) {
    return 0;
  }
  const std::size_t bytes = strnlen(object.name, out_bytes);
  if (bytes == out_bytes) {
    return 0;
  }
  for (std::size_t i = 0; i <= bytes; ++i) {
    out[i] = object.name[i];
  }
  return bytes;
}

}  // namespace spyglass::runtime
