// SPDX-License-Identifier: Apache-2.0
// profile.h - what a recording says, immutable: processes, threads, modules, functions, the merged
// tree, and what operations acted on.
//
// Every view (table, tree, callers, diff, export) is computed from this and nothing else. Node and
// function order is deterministic for equal recordings. Trees can be 10^6 deep: never recurse.
//
//   Where    analyzer.
//   Threads  immutable after build; read from any.
//   Memory   proportional to nodes + threads + processes, not to the recording's length.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/model/heap.h"
#include "analyzer/model/histogram.h"
#include "format/records.h"

namespace spyglass {

// What is counted without being timed.
struct Tally {
  std::uint64_t self = 0;
  std::uint64_t total = 0;  // with what is below; for functions: outermost calls only
};

// Of memory operations; peak: of what the heap held at its highest moment.
struct MemoryTallies {
  Tally allocations;
  Tally allocated_bytes;
  Tally temporary;  // allocations
  Tally peak_bytes;
  Tally leaked_bytes;

  bool any() const { return (allocations.total | peak_bytes.total | leaked_bytes.total) != 0; }
};

// One metric set, at a node or of a function. Nanoseconds. Exact but for demoted and approximate
// parts.
struct Metrics {
  std::uint64_t calls = 0;       // completed and still open ones, inherited ones not
  std::uint64_t open_calls = 0;  // of these, how many had not returned
  double wall_total_ns = 0;      // open calls up to the end of their thread; for functions:
                                 // outermost calls only
  double wall_self_ns = 0;
  double cpu_total_ns = 0;
  double cpu_self_ns = 0;
  double min_ns = 0;  // of completed calls
  double max_ns = 0;
  Histogram histogram;              // of completed, timed calls
  std::uint64_t untimed_calls = 0;  // of `calls`: demoted, times estimated
  double uncertainty_ns = 0;        // standard error of wall_total_ns through demotion
  double completed_ns = 0;          // time of all completed calls, recursive inner calls included
  Tally samples;                    // of the CPU
  Tally bytes;                      // moved by operations
  Tally errors;                     // of operations
  MemoryTallies memory;

  double mean_ns() const;  // of completed calls, recursive inner calls included
  // Shortest and longest call of both.
  void take_extremes(const Metrics& more);
};

enum class FunctionKind : std::uint8_t {
  kFunction,
  kOperation,  // an interposed function, see format/operation.h
  kUnnamed,    // code without a name: one function, or all such code of a module
  kSpecial,    // "[stack truncated]" and the like
};

struct Function {
  FunctionKind kind = FunctionKind::kFunction;
  std::uint32_t operation = 0;  // number, of kOperation
  std::string name;             // demangled, full; "[past the tree's bound]", "0x1234" when unknown
  std::string short_name;
  std::string symbol;             // mangled
  std::string module;             // path, or empty
  bool made_at_run_time = false;  // then the module is a /tmp/perf-PID.map, there or not
  std::string file;
  std::uint32_t line = 0;
  Metrics metrics;
  double inclusive_sum_ns =
      0;  // sum over all completed and open calls, inner ones too (for the mean)
};

inline constexpr std::size_t kMostCallLines = 8;

struct TreeNode {
  std::uint32_t parent = 0;    // index; the root (index 0) has itself
  std::uint32_t function = 0;  // index into functions; meaningless for the root
  std::uint32_t depth = 0;
  // Of the parent's function: the lines where it calls this one, ascending, kMostCallLines at most.
  // Empty where that is not known: of what hooks recorded, or without debug information.
  std::vector<std::uint32_t> call_lines;
  Metrics metrics;  // the root: wall_total = sum of its children's; folded recursion counts
                    // once, so that no child has more than its parent
};

// Something that operations acted on.
struct Object {
  format::ObjectKind kind = format::ObjectKind::kUnknown;
  std::string name;   // path, address, type (demangled) ...; empty for locks
  std::string place;  // of a lock: its variable, else where it was met first
};

// What was done to one object (or none) by the calls of an operation in one context. The uses of a
// node add up to the node.
struct ObjectUse {
  static constexpr std::uint32_t kNoObject = ~std::uint32_t{0};
  std::uint32_t node = 0;            // of the operation: its parent is the context
  std::uint32_t object = kNoObject;  // index into objects
  Metrics metrics;                   // totals only
  double off_cpu_ns = 0;
  double hold_ns = 0;  // locks: from acquired to released
  std::uint64_t holds = 0;
};

// Waits for a lock while the same thread, doing the same, held it.
struct Contention {
  std::uint32_t object = 0;         // index into objects
  std::uint32_t holder_thread = 0;  // thread id; 0: not known
  std::uint32_t holder_tid = 0;     // 0: not known
  std::uint32_t holder_node = 0;    // what it did last; 0: not known
  std::uint64_t waits = 0;
  double wait_ns = 0;
};

// A thread waited for a lock when it or the recording ended.
struct UnfinishedWait {
  std::uint32_t thread = 0;         // id
  std::uint32_t object = 0;         // index into objects
  std::uint32_t node = 0;           // of the operation
  std::uint32_t holder_thread = 0;  // id of who had the lock when the wait began; 0: not known
  std::uint32_t holder_node = 0;    // what it did last; 0: not known
  double wait_ns = 0;
};

// One lock was taken while another was held.
struct LockOrder {
  std::uint32_t held = 0;  // index into objects
  std::uint32_t taken = 0;
  std::uint64_t count = 0;
  std::uint32_t held_node = 0;  // an example
  std::uint32_t taken_node = 0;
  struct Taker {
    std::uint32_t thread = 0;   // id
    std::uint64_t besides = 0;  // a bit for each other lock that it had
  };
  std::vector<Taker> takers;  // some of those that did so
};

// Exceptions of one type, thrown and caught at the same nodes.
struct ExceptionFlow {
  std::uint32_t type = ObjectUse::kNoObject;                    // index into objects
  std::uint32_t node = 0;                                       // of the operation that threw
  std::uint32_t catch_node = 0;                                 // 0: not caught
  static constexpr std::uint32_t kUnknown = ~std::uint32_t{0};  // of catch_node
  std::uint64_t count = 0;
  std::uint64_t frames = 0;                                  // unwound, of all
  double cost_ns = 0;                                        // from throw to catch, of all
  std::vector<std::pair<std::string, std::uint64_t>> texts;  // what(), most frequent first
  std::uint64_t other_texts = 0;                             // exceptions with yet others
};

struct FatalSignal {
  std::uint32_t thread = 0;  // id
  std::uint32_t object = ObjectUse::kNoObject;
  std::uint32_t node = 0;  // what was interrupted
  std::uint64_t address = 0;
  double at_ns = 0;
  std::string text;
};

struct ProcessInfo {
  format::ProcessRecord record;
  std::uint32_t threads = 0;
  std::uint64_t calls = 0;
};

struct ThreadInfo {
  format::ThreadRecord record;
  std::uint32_t pid = 0;
  double wall_ns = 0;  // birth to exit (or to the end of the recording)
  double cpu_ns = 0;
  double recorded_ns = 0;  // wall time inside recorded calls: sum of the totals of its root calls
  std::uint64_t calls = 0;
  std::uint64_t samples = 0;
  double waiting_ns[format::kOperationClasses] = {};  // off the CPU in operations
  double runnable_ns = 0;                             // ready, but another ran; negative: unknown

  double all_waiting_ns() const;
  double other_ns() const;  // of wall_ns, what nothing above explains
};

struct Damage {
  std::uint64_t offset = 0;  // in the file
  std::uint64_t bytes = 0;   // skipped
  std::string what;
};

struct Profile {
  std::string file;
  std::string uuid;  // 32 hex digits
  format::SessionInfo session;
  std::optional<format::EndInfo> end;  // none: the recorder was killed
  double duration_ns = 0;
  double range_start_ns = 0;  // what this profile covers, from the start of the session
  double range_end_ns = 0;
  std::string range_note;  // how exact a time range is; empty for whole recordings
  std::vector<ProcessInfo> processes;
  std::vector<ThreadInfo> threads;
  std::vector<format::ModuleInfo> modules;
  std::vector<Function> functions;
  std::vector<TreeNode> nodes;  // parents before children, in depth-first order; children by
                                // function
  std::vector<Object> objects;
  std::vector<ObjectUse> uses;  // by node
  std::vector<Contention> contention;
  std::vector<UnfinishedWait> unfinished_waits;  // by thread
  std::vector<LockOrder> lock_orders;
  std::vector<ExceptionFlow> exceptions;
  std::vector<FatalSignal> fatal_signals;
  std::optional<Heap> heap;  // none: allocations were not recorded
  std::vector<format::LossRecord> losses;
  std::vector<format::CoverageRecord> coverage;
  std::vector<std::string> demoted;  // names of demoted functions
  std::vector<Damage> damage;
  std::uint64_t clamped = 0;  // nodes whose parts did not add up (damage): held at 0
  std::uint64_t spans = 0;    // kept in the recording
  std::uint64_t file_bytes = 0;
  bool approximate_cpu = false;  // any thread's CPU time is approximate
  bool timed_calls = false;      // functions were recorded call by call, not only operations
  bool sampled_cpu = false;      // CPU times of functions are samples times their interval
  std::uint64_t samples = 0;
};

}  // namespace spyglass
