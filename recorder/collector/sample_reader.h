// SPDX-License-Identifier: Apache-2.0
// sample_reader.h - the thread that reads the perf rings, unwinds the samples and knows what is
// mapped where.
//
//   Where    spyglass-run, beside the collector thread, which takes the batches.
//   Threads  receive(), stop() by the collector thread; everything else is the reader's own.
//   Errors   what the kernel dropped is counted in the batches.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "recorder/collector/address_space.h"
#include "recorder/collector/perf_events.h"
#include "recorder/collector/perf_records.h"
#include "recorder/collector/sample_batch.h"
#include "recorder/collector/sample_image.h"
#include "recorder/collector/sample_tree.h"
#include "recorder/collector/sample_unwinder.h"
#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {

class SampleReader {
 public:
  // `running`: a process that is attached to while it runs; 0: samples begin with an exec.
  SampleReader(PerfEvents events, std::size_t max_frames, std::uint32_t running = 0);
  ~SampleReader();

  void start();
  // What is new since the last call, if anything.
  std::optional<SampleBatch> receive();
  // Reads what there is to its end. receive() then gives the rest.
  void stop();

  // For tests: one round on the caller's thread; `limit_ns`: records up to then.
  void read_rings(std::uint64_t limit_ns);

 private:
  void run();
  void wait_for_records();
  PerfRing* oldest_ring(std::uint64_t limit_ns);
  void take(const PerfRecord& record);
  void take_sample(std::uint64_t time_ns, const PerfSample& sample);
  void take_mapping(std::uint64_t time_ns, const PerfMapping& mapping);
  void take_name(std::uint64_t time_ns, const PerfName& name);
  void take_fork(std::uint64_t time_ns, const PerfFork& fork);
  void take_exit(std::uint64_t time_ns, const PerfExit& exit);
  void map_running(std::uint32_t pid);
  void announce_images();
  void hand_over(std::uint64_t until_ns);

  std::vector<PerfRing> rings_;
  std::vector<bool> hung_up_;  // rings to which nobody writes any more
  SampleImages images_;
  std::vector<bool> announced_;  // images
  AddressSpaces spaces_;
  SampleUnwinder unwinder_;
  SampleTree tree_;
  std::unordered_map<std::uint32_t, bool> new_programs_;  // pids whose executable is not known yet
  std::unordered_map<std::uint32_t, std::uint32_t> threads_;  // more than one, by pid
  SampleBatch batch_;

  UniqueFd wake_;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::optional<SampleBatch> ready_;
  std::atomic<bool> has_ready_ = false;
  std::thread thread_;
};

}  // namespace spyglass::collector
