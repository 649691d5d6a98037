// SPDX-License-Identifier: Apache-2.0
// module_table.h - the module records that targets leave in the session heap, and the answers to
// their filter requests.
//
//   Where    collector thread.
//   Errors   a record that makes no sense is module 0.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/name_filter.h"
#include "recorder/collector/node_interner.h"

namespace spyglass::collector {

class ModuleTable {
 public:
  struct Module {
    std::uint32_t id = 0;  // session-wide; 0: belongs to no file
    std::uint64_t bias = 0;
  };

  ModuleTable(const Arena& arena, NodeInterner& nodes, const NameFilter& filter)
      : arena_(arena), nodes_(nodes), filter_(filter) {}

  // The module of a heap reference; `executable` is the path of a record without a name.
  Module find(std::uint32_t reference, const std::string& executable);

  // Answers what a process with `newest` as its newest module may be waiting for. Requires:
  // filters.
  void answer_filters(std::uint32_t newest, const std::string& executable);

 private:
  std::string path_of(const format::ModuleRecord& record, std::uint32_t reference,
                      const std::string& executable) const;
  void answer(format::ModuleRecord& record, const std::string& path,
              std::span<const std::uint8_t> build_id);

  const Arena& arena_;
  NodeInterner& nodes_;
  const NameFilter& filter_;
  std::unordered_map<std::uint32_t, Module> modules_;  // by reference
};

}  // namespace spyglass::collector
