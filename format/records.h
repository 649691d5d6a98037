// SPDX-License-Identifier: Apache-2.0
// records.h - what blocks hold, decoded: the plain structs that writer and reader exchange.
//
// Ids are session-wide and small: process, thread, module, site and node ids start at 1 (node 1 is
// the root of everything; id 0 means none). Times are ticks of the session's clock; ClockSample
// pairs convert them. docs/format.md gives the encoding of each.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "format/operation.h"

namespace spyglass::format {

// The same moment on both clocks.
struct ClockSample {
  std::uint64_t ticks = 0;
  std::uint64_t monotonic_ns = 0;
  std::uint64_t unix_ns = 0;
};

struct SessionInfo {
  std::vector<std::string> command;
  std::string working_directory;
  std::string host;
  std::string kernel;
  std::string version;  // of Spyglass
  std::uint32_t processors = 0;
  ClockSample start;
  std::uint64_t ns_per_tick_q60 = 0;  // as used for the histograms
  std::uint64_t interval_ns = 0;
  std::uint64_t span_threshold_ns = 0;  // 0: every call; ~0: none
  std::string on_full;
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  std::uint32_t max_depth = 0;
  double max_overhead_percent = 0;       // 0: off
  std::string cpu_clock;                 // "exact" or "approximate": what was asked of targets
  std::string sampler;                   // "perf", "timer" or "off": what ran
  std::string sampler_reason;            // why that one, if it was not asked for
  std::uint64_t sample_interval_ns = 0;  // of CPU time, 0: off
  MemoryMode memory = MemoryMode::kOff;
  std::uint64_t memory_sample_bytes = 0;  // kSample: mean distance of two samples
};

enum class ExitKind : std::uint32_t {
  kUnknown = 0,
  kExited = 1,
  kSignaled = 2,
  kExeced = 3,
  kRunning = 4
};

struct ProcessRecord {
  std::uint32_t id = 0;
  std::uint32_t pid = 0;
  std::uint32_t ppid = 0;
  std::uint32_t parent = 0;  // process id, 0: none
  std::vector<std::string> command;
  std::string executable;
  std::uint64_t start_ticks = 0;
  std::uint64_t end_ticks = 0;  // 0: still running
  ExitKind exit = ExitKind::kRunning;
  std::uint32_t exit_value = 0;  // code or signal
  bool forked = false;           // began by fork rather than exec
};

enum class CpuAccuracy : std::uint32_t { kNone = 0, kExact = 1, kApproximate = 2 };

struct ThreadRecord {
  std::uint32_t id = 0;
  std::uint32_t process = 0;  // process id
  std::uint32_t tid = 0;
  std::string name;
  std::uint64_t birth_ticks = 0;  // of its first record
  std::uint64_t exit_ticks = 0;   // 0: still running when last seen
  std::uint64_t cpu_ns = 0;       // thread CPU time between birth and exit (or when last seen)
  std::uint64_t runnable_ns =
      0;  // waited for a CPU, as the kernel's scheduler counts it; 0: unknown
  CpuAccuracy cpu_accuracy = CpuAccuracy::kNone;
};

struct ModuleInfo {
  std::uint32_t id = 0;
  std::string path;  // empty: code that belongs to no file
  std::vector<std::uint8_t> build_id;
};

// A function: where it begins in its module. With module 0, `offset` is a bare address.
struct SiteRecord {
  std::uint32_t id = 0;
  std::uint32_t module = 0;
  std::uint64_t offset = 0;
};

inline constexpr std::uint32_t kRootNode = 1;
// Sites that are no function. They carry module 0 and these offsets.
inline constexpr std::uint64_t kOverflowSiteOffset =
    ~std::uint64_t{0};  // calls past the tree's bound
inline constexpr std::uint64_t kTruncatedSiteOffset =
    ~std::uint64_t{0} - 1;  // the stack went on, but could not be followed
// In `offset`: the rest is an instruction inside of a function (a call or a sample), not the begin
// of one that was instrumented. Of any module; with module 0 the rest is a bare address.
inline constexpr std::uint64_t kPcSite = std::uint64_t{1} << 63U;
// With module 0: the rest is the id of an ObjectInfo, or an Operation.
inline constexpr std::uint64_t kObjectSite = std::uint64_t{1} << 62U;
inline constexpr std::uint64_t kOperationSite = std::uint64_t{1} << 61U;

// What operations act on. Two locks that no name tells apart may have the same name and site.
struct ObjectInfo {
  std::uint32_t id = 0;
  ObjectKind kind = ObjectKind::kUnknown;
  std::string name;        // empty for a lock without one
  std::uint32_t site = 0;  // locks: where the lock stands (module and offset) or was first met (pc)
};

struct NodeRecord {
  std::uint32_t id = 0;
  std::uint32_t parent = 0;  // node id, smaller than id; 0 for the root only
  std::uint32_t site = 0;    // 0 for the root only
};

struct BucketCount {
  std::uint32_t bucket = 0;  // duration_histogram.h
  std::uint64_t count = 0;
  bool operator==(const BucketCount&) const = default;
};

// What one thread counted at one node since the snapshot before. min and max are those of the
// thread's whole life at this node, up to now (0 and 0 if nothing returned yet).
struct CounterRow {
  std::uint32_t thread = 0;
  std::uint32_t node = 0;
  std::uint64_t calls = 0;          // timed, completed
  std::uint64_t wall_ticks = 0;     // of those, children included
  std::uint64_t off_cpu_ticks = 0;  // with this node innermost
  std::uint64_t min_ticks = 0;
  std::uint64_t max_ticks = 0;
  std::uint64_t untimed_calls = 0;  // demoted calls, counted only
  std::uint64_t fold_in_calls = 0;  // see NodeExtension in arena.h
  std::uint64_t fold_in_ticks = 0;
  std::uint64_t fold_out_ticks = 0;
  std::vector<BucketCount> buckets;
  bool operator==(const CounterRow&) const = default;
};

struct SpanRecord {
  std::uint64_t start_ticks = 0;
  std::uint64_t duration_ticks = 0;
  std::uint32_t node = 0;
  bool operator==(const SpanRecord&) const = default;
};

// What a node counts besides calls and times.
enum class Metric : std::uint32_t {
  kSamples = 1,    // CPU samples with this node innermost
  kBytes = 2,      // moved by operations
  kErrors = 3,     // operations that failed
  kHoldTicks = 4,  // locks: time from acquired to released
  kHolds = 5,      // how often that was measured
  // Of memory operations, exact even where the ring lost their records. Not with
  // MemoryMode::kSample, where only samples are counted.
  kAllocations = 6,
  kAllocatedBytes = 7,  // as asked for
  kFrees = 8,
};

// What one thread added at one node to one metric since the snapshot before.
struct MetricRow {
  std::uint32_t thread = 0;
  std::uint32_t node = 0;
  Metric metric = Metric::kSamples;
  std::uint64_t value = 0;
  bool operator==(const MetricRow&) const = default;
};

// One moment or interval of one thread.
struct EventRecord {
  std::uint64_t start_ticks = 0;
  std::uint64_t duration_ticks = 0;
  EventKind kind = EventKind::kSample;
  std::uint32_t node = 0;
  std::uint32_t other_node = 0;
  std::uint32_t other_thread = 0;  // whose node that is
  std::uint64_t value = 0;
  std::string text;
  bool operator==(const EventRecord&) const = default;
};

// Memory came or went. `node`: of the operation, below the context that called it; of those that
// give memory back, below what is known without unwinding.
struct AllocationRecord {
  std::uint64_t ticks = 0;  // after an allocation, before a free: between them nobody else has it
  AllocationKind kind = AllocationKind::kAllocate;
  std::uint32_t node = 0;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;  // 0 of kFree and kMoveFrom
  bool operator==(const AllocationRecord&) const = default;
};

// What a process had in memory, as the kernel tells.
struct ResidentRecord {
  std::uint32_t process = 0;  // id
  std::uint64_t ticks = 0;
  std::uint64_t resident_bytes = 0;
  bool operator==(const ResidentRecord&) const = default;
};

// A call that had not returned at `ticks` (block header last_ticks): at every snapshot (`final`
// false; the latest before a moment tells what was open then) and when its thread or process ended
// (`final`).
struct OpenCall {
  std::uint32_t thread = 0;
  std::uint32_t node = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t ticks = 0;  // when this was seen
  bool inherited = false;   // open at fork: counted as a call by the parent process only
  bool final = false;
};

enum class LossKind : std::uint32_t {
  kSpans = 1,   // events of 1 call each
  kCalls = 2,   // calls that left no trace at all (no lane, stack too deep)
  kBlocks = 3,  // blocks that could not be written
  kThreads = 4,
  kProcesses = 5,
  kModules = 6,
  kRepairedFrames = 7,  // not lost: closed by us, their time ends at the repair
  kOrphanExits = 8,
  kFoldedCalls = 9,  // not lost: counted at another node
  kClockClamps = 10,
  kUnfilteredNodes = 11,
  kSymbols = 12,
  kSamples = 13,
  kEvents = 14,           // of EventKind, samples excepted
  kTruncatedStacks = 15,  // not lost: their outermost frames are missing
  kAllocations = 16,      // AllocationRecords
  kShortenedStacks = 17,  // their innermost frames are missing
};

// Cumulative: a later record of the same (kind, thread, reason) replaces the earlier one.
struct LossRecord {
  LossKind kind = LossKind::kSpans;
  std::uint64_t count = 0;
  std::uint32_t thread = 0;  // 0: no thread in particular
  std::string reason;
};

// What could not be observed, one line each.
struct CoverageRecord {
  std::string subject;  // for example a program's path
  std::string reason;
};

struct FrameInfo {
  std::string function;    // as in the symbol table (mangled)
  std::string file;        // where it is declared
  std::uint32_t line = 0;  // likewise
  bool inlined = false;
  std::uint32_t at_line = 0;  // instructions: the line of `file` that ran or called; 0: unknown
};

// Innermost frame first; a site of an instrumented function has one, an instruction
// one for each function that is inlined there.
struct SymbolRecord {
  std::uint32_t site = 0;
  std::vector<FrameInfo> frames;
};

struct DemotedFunction {
  std::uint32_t site = 0;
  std::uint64_t since_ticks = 0;
};

struct EndInfo {
  ClockSample end;
  bool interrupted = false;  // the session was ended before its processes were
  std::vector<CoverageRecord> coverage;
  std::vector<DemotedFunction> demoted;
};

}  // namespace spyglass::format
