// SPDX-License-Identifier: Apache-2.0
// loss_ledger.h - everything that was not kept, counted by kind, thread and reason.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "format/records.h"

namespace spyglass::collector {

class SgzWriter;

class LossLedger {
 public:
  void add(format::LossKind kind, std::uint32_t thread, const std::string& reason,
           std::uint64_t count);
  // For counters that someone else keeps: the total so far.
  void set(format::LossKind kind, std::uint32_t thread, const std::string& reason,
           std::uint64_t total);
  std::uint64_t total(format::LossKind kind) const;

  // Writes what changed since the file was told; what can't be written stays due.
  bool write_changed(SgzWriter& writer);

 private:
  struct Count {
    std::uint64_t total = 0;
    std::uint64_t written = 0;
  };
  using Key = std::tuple<format::LossKind, std::uint32_t, std::string>;
  std::map<Key, Count> counts_;
  std::map<format::LossKind, std::uint64_t> totals_;
  bool changed_ = false;
};

}  // namespace spyglass::collector
