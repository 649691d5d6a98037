// SPDX-License-Identifier: Apache-2.0
// stack_script.h - a made-up recording of a program without hooks: samples, operations and events
// with whole stacks. One tick is one nanosecond, one sample stands for one millisecond.
//
//   StackScript script;
//   script.sample({"main", "parse"}, 70);
//   script.operate({"main", "load"}, {"read", ObjectKind::kFile, "/tmp/x"}, {.calls = 3, ...});
//   Profile profile = script.profile();
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/model/profile.h"
#include "analyzer/model/profile_builder.h"
#include "format/records.h"
#include "tests/support/recording_builder.h"

namespace spyglass::tests {

// Outermost first. "outer>inner": `inner` is inlined into `outer`. "hook:name": a hooked call.
// "name@12": the instruction is of that line. "libc.so.6!name": of another module; without a name,
// nothing is known but the module.
using StackNames = std::vector<std::string>;

struct OperationName {
  std::string operation;
  format::ObjectKind kind = format::ObjectKind::kUnknown;
  std::string object{};  // empty, with kUnknown: none
};

struct OperationCounts {
  std::uint64_t calls = 0;
  std::uint64_t each_ns = 0;
  std::uint64_t off_cpu_ns = 0;  // of all
  std::uint64_t bytes = 0;
  std::uint64_t errors = 0;
  std::uint64_t hold_ns = 0;
  std::uint64_t holds = 0;
};

class StackScript {
 public:
  static constexpr std::uint64_t kStartTicks = 1'000'000;
  static constexpr std::uint64_t kSampleNs = 1'000'000;
  static constexpr std::uint64_t kLengthNs = 10'000'000'000;

  StackScript();

  StackScript& thread(std::uint32_t id);
  StackScript& sample(const StackNames& stack, std::uint64_t count);
  StackScript& call(const StackNames& stack, std::uint64_t calls, std::uint64_t each_ns);
  StackScript& operate(const StackNames& stack, const OperationName& name,
                       const OperationCounts& counts);
  // What is recorded from here on was read at this moment after the start.
  StackScript& at(std::uint64_t ns);
  StackScript& event(format::EventRecord event);
  // Ticks from the start, ascending for each thread.
  StackScript& allocation(format::AllocationRecord record);
  StackScript& metric(std::uint32_t node, format::Metric metric, std::uint64_t value);
  StackScript& resident(std::uint64_t at_ns, std::uint64_t bytes);  // of the current process
  StackScript& memory(format::MemoryMode mode, std::uint64_t sample_bytes = 0);
  // Threads from here on belong to this process; its times are from the start.
  StackScript& process(format::ProcessRecord record);
  StackScript& lose_allocations(std::uint64_t count);
  StackScript& lose_samples(std::uint64_t count);
  StackScript& compress_with(format::Codec codec);
  StackScript& runnable(std::uint64_t ns);  // of the current thread

  // Ids of nodes, for events; 0 for an empty stack.
  std::uint32_t node_of(const StackNames& stack);
  std::uint32_t node_of(const StackNames& stack, const OperationName& name);

  RecordingBuilder recording();
  Profile profile(const ProfileOptions& options = {});

 private:
  struct Moment {
    std::vector<format::CounterRow> counters;
    std::vector<format::MetricRow> metrics;
  };
  std::uint32_t site_of(const std::string& name);
  std::uint32_t object_of(const OperationName& name);
  std::uint32_t special_site(std::uint64_t offset);
  std::uint32_t child(std::uint32_t parent, std::uint32_t site);
  void add_metric(std::uint32_t node, format::Metric metric, std::uint64_t value);
  format::CounterRow row(std::uint32_t node, std::uint64_t calls, std::uint64_t each_ns) const;

  std::uint32_t thread_ = 1;
  std::uint64_t now_ = kLengthNs;
  std::map<std::uint64_t, Moment> moments_;
  std::map<std::string, std::uint32_t> site_ids_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> node_ids_;
  std::map<std::pair<format::ObjectKind, std::string>, std::uint32_t> object_ids_;
  std::vector<format::ModuleInfo> modules_;
  std::vector<format::SiteRecord> sites_;
  std::vector<format::SymbolRecord> symbols_;
  std::vector<format::NodeRecord> nodes_;
  std::vector<format::ObjectInfo> objects_;
  std::map<std::uint32_t, std::vector<format::EventRecord>> events_;
  std::map<std::uint32_t, std::vector<format::AllocationRecord>> allocations_;
  std::vector<format::ResidentRecord> resident_;
  std::map<std::uint32_t, format::ThreadRecord> threads_;
  std::vector<format::ProcessRecord> processes_;
  format::MemoryMode memory_ = format::MemoryMode::kOff;
  std::uint64_t memory_sample_bytes_ = 0;
  format::Codec codec_ = format::Codec::kNone;
  std::uint64_t lost_samples_ = 0;
  std::uint64_t lost_allocations_ = 0;
};

}  // namespace spyglass::tests
