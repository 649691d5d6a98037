// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/module_table.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

namespace spyglass::collector {

std::string ModuleTable::path_of(const format::ModuleRecord& record, std::uint32_t reference,
                                 const std::string& executable) const {
  const std::uint64_t start = std::uint64_t{reference} * 64 + sizeof(format::ModuleRecord);
  const std::uint64_t bytes = peek(record.name_bytes);
  if (bytes == 0 || bytes > arena_.heap().size() - start) {
    return executable;
  }
  std::string path(bytes, '\0');
  std::memcpy(path.data(), arena_.heap().data() + start, bytes);
  path.resize(path.find('\0') == std::string::npos ? path.size() : path.find('\0'));
  if (path == "linux-vdso.so.1") {
    return "[vdso]";
  }
  // As the kernel names it to samplers: or one file were two modules. In /proc stands what is the
  // program's, /proc/self/fd/4: here it would be another file.
  const bool shared = path.starts_with('/') && !path.starts_with("/proc/");
  char* real = shared ? ::realpath(path.c_str(), nullptr) : nullptr;
  if (real != nullptr) {
    path = real;
    std::free(real);  // NOLINT: as realpath says
  }
  return path;
}

ModuleTable::Module ModuleTable::find(std::uint32_t reference, const std::string& executable) {
  if (const auto known = modules_.find(reference); known != modules_.end()) {
    return known->second;
  }
  format::ModuleRecord* record = arena_.module(reference);
  if (record == nullptr) {
    return {};
  }
  std::uint8_t build_id[sizeof(record->build_id)];
  std::memcpy(build_id, record->build_id, sizeof(build_id));
  const std::size_t bytes = std::min<std::size_t>(peek(record->build_id_bytes), sizeof(build_id));
  const std::span<const std::uint8_t> id(build_id, bytes);
  const std::string path = path_of(*record, reference, executable);
  const Module module = {nodes_.module(path, id), peek(record->bias)};
  modules_.emplace(reference, module);
  if (filter_.active()) {
    answer(*record, path, id);
  }
  return module;
}

void ModuleTable::answer_filters(std::uint32_t newest, const std::string& executable) {
  // Known records were answered when they became known, and so were all older ones of the chain.
  for (std::uint32_t reference = newest; !modules_.contains(reference);) {
    const format::ModuleRecord* record = arena_.module(reference);
    if (record == nullptr) {
      return;
    }
    const std::uint32_t older = peek(record->older);
    find(reference, executable);
    reference = older;
  }
}

void ModuleTable::answer(format::ModuleRecord& record, const std::string& path,
                         std::span<const std::uint8_t> build_id) {
  std::vector<format::FilterRange> ranges;
  if (Result<ElfSymbols> symbols = ElfSymbols::open(path, build_id)) {
    ranges = filter_.excluded(path, symbols->functions());
  } else {
    ranges = filter_.excluded(path, {});
  }
  const std::uint64_t bytes = ranges.size() * sizeof(format::FilterRange);
  const std::uint64_t offset = bytes == 0 ? 0 : arena_.allocate_heap(bytes);
  if (offset != 0) {
    std::memcpy(arena_.heap().data() + offset, ranges.data(), bytes);
    record.filter_offset = offset;
    record.filter_count = static_cast<std::uint32_t>(ranges.size());
  }
  record.filter_state.store(format::kFilterResolved, std::memory_order_release);
  futex_wake_all(record.filter_state);
}

}  // namespace spyglass::collector
