// SPDX-License-Identifier: Apache-2.0
// operation_diff.h - what changed in waits, locks, I/O and exceptions.
//
// Rows are matched by what people call them: operation, object and function by name.
//
//   Where    analyzer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "analyzer/diff/change.h"
#include "analyzer/model/profile.h"

namespace spyglass {

struct OperationRow {
  std::string operation;       // waits only
  std::string object;          // for exceptions: the type
  std::string function;        // who waited or threw
  std::string catcher;         // exceptions only: "" for those that escaped
  std::string short_function;  // both without arguments
  std::string short_catcher;
  Change calls;
  Change wall_ns;  // exceptions: from throw to catch
  Change p99_ns;
  Change bytes;
  Change errors;
  Change hold_ns;  // locks only

  bool changed() const;
};

struct OperationDiff {
  // Largest change of the time first; of exceptions, of their number.
  std::vector<OperationRow> waits;
  std::vector<OperationRow> locks;
  std::vector<OperationRow> io;
  std::vector<OperationRow> exceptions;
  // Of the whole recordings.
  Change wait_ns;
  Change lock_wait_ns;
  Change io_ns;
  Change bytes;
  Change errors;
  Change thrown;

  bool empty() const;
};

OperationDiff diff_operations(const Profile& base, const Profile& now);

}  // namespace spyglass
