// SPDX-License-Identifier: Apache-2.0
// function_sums.h - the metrics of functions from those of nodes, given in depth-first order.
//
// A function's total counts a call only if none of its callers is of the same function: it follows
// the path from the root and counts how often each function is on it.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/model/tree_layout.h"

namespace spyglass::model {

class FunctionSums {
 public:
  explicit FunctionSums(std::vector<Function>& functions)
      : functions_(functions), on_path_(functions.size(), 0), used_(functions.size(), false) {}

  // Node `index`, after all before it. `inclusive_ns`: time of all its calls, folded ones too.
  void add(std::size_t index, const LaidNode& node, const Metrics& metrics, double inclusive_ns);
  // Drops functions without nodes and renumbers those of the nodes.
  void finish(Profile& profile);

 private:
  struct Step {
    std::uint32_t end = 0;
    std::uint32_t function = 0;
  };

  std::vector<Function>& functions_;
  std::vector<std::uint32_t> on_path_;
  std::vector<bool> used_;
  std::vector<Step> path_;
  bool overflowed_ = false;
};

}  // namespace spyglass::model
