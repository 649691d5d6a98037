// SPDX-License-Identifier: Apache-2.0
// site_role.h - what a site, and so a node there, stands for.
#pragma once

#include <cstdint>

#include "format/record_names.h"
#include "format/records.h"

namespace spyglass::model {

enum class Role : std::uint8_t {
  kFunction,   // a call that was counted and timed
  kFrame,      // an instruction, without calls of its own; also what stands for missing frames
  kOperation,  // a call of an interposed function; `number`: which
  kObject,     // what it acted on; `number`: its id
};

struct SiteRole {
  Role role = Role::kFunction;
  std::uint32_t number = 0;
};

constexpr SiteRole role_of(const format::SiteRecord& site) {
  const bool outside = site.module == 0;
  if (outside && site.offset == format::kOverflowSiteOffset) {
    return {};
  }
  if ((site.offset & format::kPcSite) != 0) {  // kTruncatedSiteOffset too
    return {Role::kFrame, 0};
  }
  if (outside && (site.offset & format::kObjectSite) != 0) {
    return {Role::kObject, static_cast<std::uint32_t>(site.offset)};
  }
  if (outside && (site.offset & format::kOperationSite) != 0) {
    return {Role::kOperation, static_cast<std::uint32_t>(site.offset)};
  }
  return {};
}

// Of an operation's number: memory in any way, and pages rather than blocks of a heap.
constexpr bool is_memory_operation(std::uint32_t number) {
  return format::is_operation(number) &&
         format::operation_info(number).kind == format::OperationClass::kMemory;
}
constexpr bool is_page_operation(std::uint32_t number) {
  switch (static_cast<format::Operation>(number)) {
    case format::Operation::k_mmap:
    case format::Operation::k_munmap:
    case format::Operation::k_mremap:
    case format::Operation::k_brk:
      return true;
    default:
      return false;
  }
}

}  // namespace spyglass::model
