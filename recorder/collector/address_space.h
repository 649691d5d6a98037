// SPDX-License-Identifier: Apache-2.0
// address_space.h - what code a process has mapped where, as the kernel's records tell it over
// time.
//
// Unmapping is not told: what is mapped later at the same place replaces it.
//
//   Where    collector.
//   Threads  one at a time.
//   Memory   one entry for each executable mapping, at most kMaxMappings in a process.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace spyglass::collector {

inline constexpr std::size_t kMaxMappings = 65536;

struct CodeMapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t file_offset = 0;  // of `start`
  std::uint32_t image = 0;        // index in SampleImages
};

class AddressSpace {
 public:
  // Takes the place of what overlaps it.
  void map(const CodeMapping& mapping);
  // The mapping that holds `address`, or null. Valid until the next map().
  const CodeMapping* find(std::uint64_t address) const;

 private:
  std::vector<CodeMapping> mappings_;  // by start, not overlapping
};

class AddressSpaces {
 public:
  AddressSpace& of(std::uint32_t pid);
  // A new process begins with what its parent has.
  void fork(std::uint32_t parent, std::uint32_t child);
  // A new program begins with nothing.
  void exec(std::uint32_t pid) { spaces_.erase(pid); }
  void exit(std::uint32_t pid) { spaces_.erase(pid); }

 private:
  std::unordered_map<std::uint32_t, AddressSpace> spaces_;
};

}  // namespace spyglass::collector
