// SPDX-License-Identifier: Apache-2.0
// call_script.h - a made-up program run on a made-up clock, as the recording that Spyglass would
// make of it, with what is true of it for comparison. One tick is one nanosecond.
//
//   CallScript script;
//   script.enter("main").spend(10).enter("work").spend(30).leave().leave();
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

// What a profile has to say of a function, found by watching the script run.
struct Truth {
  std::uint64_t calls = 0;
  std::uint64_t total_ns = 0;  // outermost calls
  std::uint64_t self_ns = 0;
  std::uint64_t cpu_self_ns = 0;
  std::vector<std::uint64_t> durations_ns;  // of completed calls
};

class CallScript {
 public:
  static constexpr std::uint64_t kStartTicks = 1'000'000;

  CallScript();

  // Calls happen on this thread from here on; a new number is a new thread (of process 1).
  CallScript& thread(std::uint32_t id);
  CallScript& enter(const std::string& function);
  CallScript& leave();
  CallScript& spend(std::uint64_t ns);  // on the CPU; other threads' open calls grow older too
  CallScript& wait(std::uint64_t ns);   // off the CPU
  // enter, spend, leave
  CallScript& call(const std::string& function, std::uint64_t ns);
  // The collector writes what was counted and which calls are open.
  CallScript& snapshot();
  // Calls deeper than this fold into the same function above, or go to a flat node.
  CallScript& fold_below(std::size_t depth);
  // From here on only every n-th call of `function` is timed.
  CallScript& time_every(const std::string& function, unsigned n);
  // No end record, and open calls stand only in the last snapshot.
  CallScript& recorder_was_killed();
  CallScript& without_symbols();
  // Function names go into two modules by turns, threads into two processes by turns.
  CallScript& spread_out();

  std::uint64_t now_ns() const { return now_ - kStartTicks; }
  const std::map<std::string, Truth>& truth() const { return truth_; }

  RecordingBuilder recording();
  Profile profile(const ProfileOptions& options = {});

 private:
  struct Call {
    std::string function;
    std::uint32_t node = 0;
    std::uint64_t start = 0;
    bool folded = false;
    bool timed = true;
    bool outermost = false;
  };
  struct Thread {
    std::vector<Call> stack;
    std::uint64_t birth = 0;
    std::uint64_t cpu_ns = 0;
    std::vector<format::SpanRecord> spans;
    std::map<std::uint32_t, std::pair<std::uint64_t, std::uint64_t>> extremes;  // by node
  };
  struct Demotion {
    unsigned every = 1;
    std::uint64_t calls = 0;
  };

  std::uint32_t site(const std::string& function);
  std::uint32_t node(std::uint32_t parent, std::uint32_t site);
  std::uint32_t fold_target(std::uint32_t node, const std::string& function);
  format::CounterRow& row(std::uint32_t node);
  void count(const Call& call, std::uint32_t caller);
  void pass_time(std::uint64_t ns);
  std::vector<format::OpenCall> open_calls(bool final) const;
  std::vector<format::ThreadRecord> thread_records() const;

  std::uint64_t now_ = kStartTicks;
  std::uint64_t snapshot_at_ = kStartTicks;
  std::uint32_t current_ = 1;
  std::map<std::uint32_t, Thread> threads_;
  std::map<std::string, std::uint32_t> sites_;
  std::vector<std::string> site_names_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> node_ids_;
  std::vector<format::NodeRecord> nodes_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, format::CounterRow> rows_;
  std::map<std::string, Demotion> demoted_;
  std::map<std::string, Truth> truth_;
  std::size_t fold_depth_ = ~std::size_t{0};
  bool killed_ = false;
  bool symbols_ = true;
  bool spread_ = false;

  // Snapshots wait here, since a recording names things before it refers to them.
  struct Snapshot {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::vector<format::CounterRow> rows;
    std::vector<format::OpenCall> open;
  };
  std::vector<Snapshot> snapshots_;
};

// The function called `name`; fails the test if there is none.
const Function& function_named(const Profile& profile, const std::string& name);
// The node reached by this path of function names; fails the test if there is none.
const TreeNode& node_at(const Profile& profile, const std::vector<std::string>& path);

}  // namespace spyglass::tests
