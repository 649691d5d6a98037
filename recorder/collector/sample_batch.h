// SPDX-License-Identifier: Apache-2.0
// sample_batch.h - what the thread that reads samples hands to the collector's: plain data.
//
// Nodes are numbered in the reader's own tree: ids start at 1, 0 is the root; a node's parent comes
// before it. Times are CLOCK_MONOTONIC.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/records.h"
#include "recorder/collector/sample_unwinder.h"

namespace spyglass::collector {

inline constexpr std::uint32_t kTruncatedImage = ~std::uint32_t{0} - 1;  // frames are missing here

struct SampledNode {
  std::uint32_t parent = 0;
  SampledFrame frame;
};

struct SampledImage {
  std::uint32_t index = 0;  // as in SampledFrame::image
  std::string path;
  std::vector<std::uint8_t> build_id;
};

struct TakenSample {
  std::uint64_t time_ns = 0;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint32_t node = 0;
  StackEnd end = StackEnd::kWhole;
  bool shortened = false;  // SampleTree::Place
};

enum class TaskChange {
  kFork,        // a process began; parent_pid
  kExec,        // another program in the same process; text: its short name
  kExecutable,  // text: the file that kExec spoke of
  kLibrary,     // libspyglass.so was mapped
  kName,        // of a thread; text
  kExit,        // of a thread
  kEnd,         // of a process: its last thread has ended
};

struct TaskEvent {
  std::uint64_t time_ns = 0;
  TaskChange change = TaskChange::kExit;
  std::uint32_t pid = 0;
  std::uint32_t tid = 0;
  std::uint32_t parent_pid = 0;
  std::string text;
};

struct SampleBatch {
  std::vector<SampledImage> images;  // new since the last batch, as are:
  std::vector<SampledNode> nodes;
  std::vector<TaskEvent> tasks;  // by time
  std::vector<TakenSample> samples;
  std::uint64_t lost_records = 0;
  std::uint64_t throttled = 0;
  std::uint64_t until_ns = 0;  // everything up to then is in this batch or in one before it
};

}  // namespace spyglass::collector
