// SPDX-License-Identifier: Apache-2.0
// sample_intake.h - the collector's side of sampling from outside: batches to samples at nodes of
// the recording, to processes and threads that the library is not in, and to coverage lines for
// programs that it did not get into.
//
//   Where    collector thread.
//   Memory   samples of a program that may still say what process it is wait, for a second.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "format/records.h"
#include "recorder/collector/process_table.h"
#include "recorder/collector/recording.h"
#include "recorder/collector/sample_batch.h"
#include "recorder/collector/sample_tasks.h"

namespace spyglass::collector {

class SampleIntake {
 public:
  SampleIntake(SampleTasks& tasks, ProcessTable& processes, Recording& recording,
               std::uint64_t ns_per_tick_q60, std::uint64_t interval_ns);

  // `now`: both clocks, sampled after the batch was made.
  void take(SampleBatch batch, const format::ClockSample& now);
  // What need not be done more often than once a second.
  void look_around(std::uint64_t now_ticks);
  // After the last batch.
  void finish(std::uint64_t now_ticks);

  // Programs that the library did not get into, since the last call.
  std::vector<format::CoverageRecord> take_coverage() { return std::exchange(coverage_, {}); }
  std::uint64_t samples() const { return samples_; }

 private:
  struct OwnProcess {
    format::ProcessRecord record;
    std::uint64_t end_seen_ticks = 0;
  };

  std::uint64_t ticks_of(std::uint64_t time_ns) const;
  void add_nodes(const SampleBatch& batch);
  void apply(const TaskEvent& event);
  void apply_to_image(const TaskEvent& event);
  bool place_sample(const TakenSample& sample, bool last);
  TaskImage* image_of(const TakenSample& sample, std::uint64_t ticks);
  void add_process(TaskImage& image);
  void begin_thread(TaskThread& thread, const TaskImage& image, std::uint32_t tid,
                    std::uint64_t ticks);
  void end_thread(const TaskEvent& event);
  void complete_thread(TaskThread& thread, std::uint64_t exit_ticks);
  void write_threads();
  void end_images(std::uint64_t until_ticks);
  void end_process(const TaskImage& image);
  void explain(const TaskImage& image);
  void settle_ends(std::uint64_t now_ticks, bool all);
  void write_events();

  SampleTasks& tasks_;
  ProcessTable& processes_;
  Recording& recording_;
  std::uint64_t ns_per_tick_q60_;
  std::uint64_t interval_ns_;
  format::ClockSample now_;
  std::uint64_t until_ticks_ = 0;

  std::unordered_map<std::uint32_t, std::uint32_t> modules_;  // by SampledFrame::image
  std::vector<std::uint32_t> nodes_ = {format::kRootNode};    // by node of the reader
  std::vector<TakenSample> waiting_;
  std::unordered_map<std::uint32_t, std::string> names_;             // of threads, by tid
  std::unordered_map<std::uint32_t, format::ThreadRecord> changed_;  // of threads, by id
  std::unordered_map<std::uint32_t, std::uint64_t> exits_;  // of threads not long ago, by tid
  std::unordered_map<std::uint32_t, OwnProcess> own_;       // processes that we tell of, by id
  std::vector<std::uint32_t> ended_;                        // of those, with an end to be explained
  std::unordered_map<std::uint32_t, std::vector<format::EventRecord>> events_;  // by thread
  std::vector<format::CoverageRecord> coverage_;
  std::uint64_t samples_ = 0;
};

}  // namespace spyglass::collector
