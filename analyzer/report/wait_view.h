// SPDX-License-Identifier: Apache-2.0
// wait_view.h - operations by what they waited for, locks by who held them, I/O by object: what
// text, JSON and diff show of Profile::uses.
//
//   Where    report and diff.
//   Memory   proportional to the uses.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/model/profile.h"

namespace spyglass {

// The calls of an operation on one object (or none) in one context or several.
struct WaitRow {
  std::uint32_t node = 0;      // of the operation, an example where there are several
  std::uint32_t function = 0;  // index: who waited, see responsible_function()
  std::uint32_t object = ObjectUse::kNoObject;
  Metrics metrics;
  double off_cpu_ns = 0;
};

enum class UseKind {
  kWait,       // all that can wait
  kIo,         // reads, writes, files, connections
  kException,  // throws
};

// One row for each use; longest first.
std::vector<WaitRow> wait_rows(const Profile& profile, UseKind kind);
// Rows of one operation, function and kind of object (by name) added up; longest first.
std::vector<WaitRow> merged_rows(const Profile& profile, const std::vector<WaitRow>& rows);

// Who is to be asked why `node` is reached: the nearest named function that belongs neither to the
// system's libraries nor to namespace std, else the nearest such code without a name, else the
// nearest function that has one. Nothing: the root.
std::uint32_t responsible_node(const Profile& profile, std::uint32_t node);
// Its name; "?" when nothing is known.
std::string responsible_name(const Profile& profile, std::uint32_t node, bool full);
// The named functions above `node`, innermost first.
std::vector<std::uint32_t> stack_of(const Profile& profile, std::uint32_t node);

// TreeNode::call_lines of `node` and what is above it: for each function of stack_of() its parent,
// where it calls.
std::vector<const std::vector<std::uint32_t>*> call_lines_of(const Profile& profile,
                                                             std::uint32_t node);

struct LockRow {
  std::uint32_t object = 0;
  Metrics waits;
  std::uint64_t holds = 0;
  double hold_ns = 0;
  std::vector<const Contention*> holders;  // longest first
};
std::vector<LockRow> lock_rows(const Profile& profile);

// Locks each of which was taken while the one before was held, the first while the last was: they
// can deadlock. Shortest cycles, each once, at most kMostCycles.
inline constexpr std::size_t kMostCycles = 32;
std::vector<std::vector<const LockOrder*>> lock_cycles(const Profile& profile);

struct IoRow {
  std::uint32_t object = ObjectUse::kNoObject;
  Metrics metrics;
};
std::vector<IoRow> io_rows(const Profile& profile);

// "file /tmp/x", "lock g_lock", "lock met in push queue.cc:12"; empty for none.
std::string object_text(const Profile& profile, std::uint32_t object);
// The class of an operation's node; nothing sensible for others.
format::OperationClass class_of(const Profile& profile, std::uint32_t node);

}  // namespace spyglass
