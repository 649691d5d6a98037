// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/object_table.h"

#include <algorithm>
#include <cstring>

namespace spyglass::collector {
namespace {

constexpr std::uint64_t kLongestName = 4096;  // PATH_MAX

}  // namespace

std::uint32_t ObjectTable::identify(std::uint32_t reference, const std::string& executable) {
  format::ObjectInfo info;
  const std::uint64_t offset = std::uint64_t{reference} * 64;
  const std::uint64_t heap_bytes = arena_.heap().size();
  if (offset + sizeof(format::ObjectRecord) > heap_bytes) {
    return nodes_.object(info, 0);
  }
  const auto& record =
      *reinterpret_cast<const format::ObjectRecord*>(arena_.heap().data() + offset);
  info.kind = static_cast<format::ObjectKind>(peek(record.kind));
  const std::uint64_t name_start = offset + sizeof(format::ObjectRecord);
  const std::uint64_t bytes =
      std::min<std::uint64_t>({peek(record.name_bytes), kLongestName, heap_bytes - name_start});
  info.name.assign(reinterpret_cast<const char*>(arena_.heap().data() + name_start), bytes);
  info.name.resize(::strnlen(info.name.data(), info.name.size()));

  // A lock in a module is known by its place there; any other by where it was first met, and then
  // it is one of perhaps many.
  std::uint64_t one_of_many = 0;
  if (const std::uint64_t address = peek(record.address); address != 0) {
    if (const ModuleTable::Module module = modules_.find(peek(record.module), executable);
        module.id != 0) {
      info.site = nodes_.site(module.id, address - module.bias);
    } else {
      one_of_many = reference;
    }
  }
  if (const std::uint64_t pc = peek(record.pc); info.site == 0 && pc != 0) {
    const ModuleTable::Module module = modules_.find(peek(record.pc_module), executable);
    info.site = nodes_.site(module.id, (pc - module.bias) | format::kPcSite);
  }
  return nodes_.object(info, one_of_many);
}

std::uint32_t ObjectTable::find(std::uint32_t reference, const std::string& executable) {
  const auto [place, added] = ids_.try_emplace(reference, 0);
  if (added) {
    place->second = identify(reference, executable);
  }
  return place->second;
}

}  // namespace spyglass::collector
