// SPDX-License-Identifier: Apache-2.0
// collector_options.h - what one session was asked to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/arena.h"
#include "format/operation.h"

namespace spyglass::collector {

inline constexpr std::uint64_t kSpansOff = ~std::uint64_t{0};  // span threshold: no spans at all

inline constexpr std::uint32_t kAllOperations = (1U << format::kOperationClasses) - 1;

// When the session ends: with the last process of the tree, or with the program that was started.
enum class Follow { kTree, kMain };

// Who is to take CPU samples. kAuto: perf where the kernel lets us, else the timer.
enum class Sampler { kAuto, kPerf, kTimer, kOff };

struct MemoryChoice {
  format::MemoryMode mode = format::MemoryMode::kFull;
  std::uint64_t sample_bytes = 512U << 10U;  // kSample: mean distance of two samples
};

struct CollectorOptions {
  std::string output;                        // pattern of output_name.h; empty: the default name
  bool force = false;                        // replace an existing file
  std::uint64_t span_threshold_ns = 10'000;  // 0: every call; kSpansOff: none
  format::OnFull on_full = format::OnFull::kDropNewest;
  std::uint64_t ring_bytes = 0;  // per thread; 0: by threshold
  std::uint64_t tree_bytes = 64U << 20U;
  std::uint64_t interval_ns = 100'000'000;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::uint32_t max_depth = 0;
  std::uint32_t operations = kAllOperations;  // bit (1 << format::OperationClass)
  std::uint32_t max_stack_frames = 512;
  std::uint32_t sample_hz = 1000;  // of CPU time; 0: off
  Sampler sampler = Sampler::kAuto;
  MemoryChoice memory;
  double max_overhead_percent = 0;
  Follow follow = Follow::kTree;
  bool strict = false;
  bool approximate_cpu = false;
  bool quiet = false;
  bool verbose = false;
};

}  // namespace spyglass::collector
