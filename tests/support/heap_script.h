// SPDX-License-Identifier: Apache-2.0
// heap_script.h - a made-up recording of a program's memory.
//
//   HeapScript script;
//   script.get(10, {"main", "parse"}, 0x1000, 64).give(20, 0x1000);
//   const Heap heap = script.heap();
#pragma once

#include <cstdint>
#include <string>

#include "tests/support/stack_script.h"

namespace spyglass::tests {

class HeapScript : public StackScript {
 public:
  HeapScript() { memory(format::MemoryMode::kFull); }

  HeapScript& on(std::uint32_t thread_id) {
    thread(thread_id);
    return *this;
  }
  HeapScript& get(std::uint64_t ns, const StackNames& stack, std::uint64_t address,
                  std::uint64_t bytes, const std::string& operation = "malloc") {
    return add(ns, format::AllocationKind::kAllocate, node_of(stack, {operation}), address, bytes);
  }
  HeapScript& give(std::uint64_t ns, std::uint64_t address) {
    return add(ns, format::AllocationKind::kFree, node_of({}, {"free"}), address, 0);
  }
  HeapScript& move(std::uint64_t ns, const StackNames& stack, std::uint64_t from, std::uint64_t to,
                   std::uint64_t bytes) {
    add(ns, format::AllocationKind::kMoveFrom, node_of({}, {"realloc"}), from, 0);
    return add(ns + 1, format::AllocationKind::kMoveTo, node_of(stack, {"realloc"}), to, bytes);
  }
  HeapScript& map(std::uint64_t ns, const StackNames& stack, std::uint64_t address,
                  std::uint64_t bytes) {
    return add(ns, format::AllocationKind::kMap, node_of(stack, {"mmap"}), address, bytes);
  }
  HeapScript& unmap(std::uint64_t ns, std::uint64_t address, std::uint64_t bytes) {
    return add(ns, format::AllocationKind::kUnmap, node_of({}, {"munmap"}), address, bytes);
  }
  // A process with one thread; what follows is that thread's.
  HeapScript& fork(std::uint32_t id, std::uint32_t thread_id, std::uint64_t end_ns,
                   format::ExitKind exit, bool forked = true) {
    format::ProcessRecord child;
    child.id = id;
    child.pid = 100 + id;
    child.parent = 1;
    child.end_ticks = end_ns;
    child.exit = exit;
    child.forked = forked;
    process(child);
    return on(thread_id);
  }

  Heap heap(const ProfileOptions& options = {}) { return *profile(options).heap; }

 private:
  HeapScript& add(std::uint64_t ns, format::AllocationKind kind, std::uint32_t node,
                  std::uint64_t address, std::uint64_t bytes) {
    allocation({ns, kind, node, address, bytes});
    return *this;
  }
};

// What the stack "main;parse" (outermost first, the operation left out) allocated.
inline HeapStack stack_named(const Profile& profile, const std::string& path) {
  for (const HeapStack& stack : profile.heap->stacks) {
    std::string names;
    for (std::uint32_t node = profile.nodes[stack.node].parent; node != 0;
         node = profile.nodes[node].parent) {
      names =
          profile.functions[profile.nodes[node].function].name + (names.empty() ? "" : ";" + names);
    }
    if (names == path) {
      return stack;
    }
  }
  return {};
}

}  // namespace spyglass::tests
