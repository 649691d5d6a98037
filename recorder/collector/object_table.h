// SPDX-License-Identifier: Apache-2.0
// object_table.h - what operations acted on: from references into the session heap to session-wide
// ids.
//
//   Where    collector thread.
//   Errors   a reference that makes no sense (hostile target) is an object of unknown kind.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/module_table.h"

namespace spyglass::collector {

class ObjectTable {
 public:
  ObjectTable(const Arena& arena, NodeInterner& nodes, ModuleTable& modules)
      : arena_(arena), nodes_(nodes), modules_(modules) {}

  // Id of the object at a heap reference; `executable` is the path of a module without a name.
  std::uint32_t find(std::uint32_t reference, const std::string& executable);

 private:
  std::uint32_t identify(std::uint32_t reference, const std::string& executable);

  const Arena& arena_;
  NodeInterner& nodes_;
  ModuleTable& modules_;
  std::unordered_map<std::uint32_t, std::uint32_t> ids_;  // by reference
};

}  // namespace spyglass::collector
