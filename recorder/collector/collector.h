// SPDX-License-Identifier: Apache-2.0
// collector.h - the thread that turns the arena into a recording.
//
//   Where    spyglass-run, beside the main thread, which tells it about processes.
//   Threads  post_*(), finish() by the main thread; everything else is the collector thread's own.
//   Errors   failed writes are counted as losses; the session goes on.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "format/records.h"
#include "recorder/collector/arena_owner.h"
#include "recorder/collector/collector_options.h"
#include "recorder/collector/counter_snapshot.h"
#include "recorder/collector/coverage_notes.h"
#include "recorder/collector/lane_drain.h"
#include "recorder/collector/lane_nodes.h"
#include "recorder/collector/lane_table.h"
#include "recorder/collector/module_table.h"
#include "recorder/collector/name_filter.h"
#include "recorder/collector/overhead_budget.h"
#include "recorder/collector/process_table.h"
#include "recorder/collector/process_watch.h"
#include "recorder/collector/recording.h"
#include "recorder/collector/sample_intake.h"
#include "recorder/collector/sample_reader.h"
#include "recorder/collector/sample_tasks.h"

namespace spyglass::collector {

// What the session amounted to.
struct Summary {
  std::uint64_t calls = 0;
  std::uint64_t spans = 0;
  std::uint64_t samples = 0;  // of CPU time
  std::uint64_t allocations = 0;
  std::uint32_t threads = 0;
  std::uint32_t processes = 0;
  std::uint64_t spans_lost = 0;
  std::uint64_t allocations_lost = 0;  // and frees
  std::uint64_t stacks_shortened = 0;
  std::uint64_t calls_lost = 0;
  std::uint64_t samples_lost = 0;
  std::uint64_t events_lost = 0;
  std::uint64_t other_losses = 0;  // threads, processes, modules
  std::size_t blind_spots = 0;     // what could not be recorded from the outset
  std::string path;
  std::uint64_t file_bytes = 0;
  bool complete = false;  // the file was closed in order
  std::string failure;    // why something could not be written, if so
};

class Collector {
 public:
  // `arena` and `watch` outlive the collector.
  Collector(const Arena& arena, ProcessWatch& watch, SgzWriter writer,
            const CollectorOptions& options, const format::SessionInfo& session);
  ~Collector();

  // Takes what `reader` reads. Before start().
  void sample_with(std::unique_ptr<SampleReader> reader, std::uint64_t interval_ns);

  void start();
  void post_image(NewImage image);
  void post_end(EndedProcess ended);
  // What the recording does not show. Any thread.
  CoverageNotes& coverage() { return coverage_; }

  // Processes known to be alive.
  std::size_t live_processes() const { return live_processes_.load(); }

  // Closes the recording. `interrupted`: before its processes had ended.
  Summary finish(bool interrupted);

  // For tests: one turn of the loop, on the caller's thread.
  bool turn();

 private:
  struct Mail {
    std::vector<NewImage> images;
    std::vector<std::pair<EndedProcess, std::uint64_t>> ended;  // and when we heard of it
    bool stop = false;
  };

  void run();
  bool read_mail();
  void take_in_forked(ProcessTable::Orphans orphans, std::uint32_t execed_pid);
  void take_in_processes();
  void watch(ProcessEntry& entry);
  void poll_unwatched(std::uint64_t now_ticks);
  void end_processes();
  void note_due_end(ProcessEntry* entry, const ProcessEnd& end);
  void snapshot_if_due();
  void note_cxx_runtimes();
  void note_unseen(const ProcessEntry& entry);
  void note_crash(const ProcessEntry& entry, const ProcessEnd& end);
  void note_resident(std::uint64_t now_ticks);
  void count_session_losses();
  void wait(std::uint64_t records);
  void end_dead_processes();
  void take_samples(std::optional<SampleBatch> batch);
  void finish_samples();
  void close_session();
  void sum_up();

  const Arena& arena_;
  ProcessWatch& watch_;
  CollectorOptions options_;
  format::SessionInfo session_;
  Recording recording_;
  NameFilter filter_;
  ModuleTable modules_;
  ObjectTable objects_;
  LaneNodes nodes_;
  LaneDrain drain_;
  OverheadBudget budget_;
  CounterSnapshot snapshot_;
  SampleTasks tasks_;
  ProcessTable processes_;
  LaneTable lanes_;
  std::unique_ptr<SampleReader> sample_reader_;
  std::unique_ptr<SampleIntake> sample_intake_;

  std::mutex mutex_;
  Mail mail_;
  CoverageNotes coverage_;
  std::atomic<std::size_t> live_processes_ = 0;

  std::vector<std::pair<ProcessEntry*, ProcessEnd>> due_ends_;
  std::vector<ProcessEntry*> unwatched_;
  std::uint64_t interval_ticks_ = 0;
  std::uint64_t second_ticks_ = 0;
  std::uint64_t snapshot_ticks_ = 0;
  std::uint64_t look_ticks_ = 0;
  std::size_t resident_turn_ = 0;
  std::uint32_t doorbell_seen_ = 0;
  unsigned quiet_turns_ = 0;  // since one that found much in the rings
  bool interrupted_ = false;
  Summary summary_;
  std::thread thread_;
};

}  // namespace spyglass::collector
