// SPDX-License-Identifier: Apache-2.0
// arena.h - the shared memory in which targets record and from which the collector reads.
//
// One sealed memfd serves a whole session: every process of it maps the same arena, takes a process
// slot and one lane for each thread. A lane holds the thread's shadow stack, its calling-context
// tree and its span ring. Targets only write, with plain stores and a few atomics; the collector
// only reads (and gives lanes back), so neither ever waits for the other unless `OnFull::kBlock`
// was asked for.
//
//   Where    mapped read-write by both sides; header-only, no libstdc++ symbols.
//   Threads  each field names its writer; "owner" is the lane's thread.
//   Memory   sparse: untouched pages cost nothing. Offsets and indices, never pointers, except the
//            fields marked "owner's address", which only the owner follows.
//   Errors   everything in here is hostile input to the collector: bound-check before use.
//
//  arena := header | process slots | session heap (module records) | lanes
//  lane  := shadow stack (grows down) | Lane | lookup table | span ring | cells (grow up)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "format/operation.h"

namespace spyglass::format {

inline constexpr std::uint64_t kArenaMagic = 0x31414e4552415347ULL;  // "GSARENA1"
inline constexpr std::uint32_t kArenaVersion = 5;

inline constexpr std::uint64_t kDurationOff =
    ~std::uint64_t{0};  // a span threshold nothing reaches

// By what hooks see that their thread was off the CPU. Where one is not to be had, the next is
// used.
enum class SwitchSign : std::uint32_t {
  kNone = 0,  // the thread clock is read now and then instead: CPU times are approximate
  kPerf = 1,  // the control page of a perf event, which makes every switch a microsecond longer
  kRseq = 2,  // format/switch_sign.h
};

// What a hook does when the span ring is full.
enum class OnFull : std::uint32_t { kDropNewest = 0, kDropOldest = 1, kBlock = 2 };

// Who takes CPU samples.
enum class SamplerKind : std::uint32_t {
  kOff = 0,
  kPerf = 1,   // the collector, from outside, through perf events
  kTimer = 2,  // a signal handler in the target
};

// Sizes and offsets, chosen once by the collector. All offsets in bytes.
struct ArenaGeometry {
  std::uint64_t arena_bytes;
  std::uint64_t processes_offset;  // ProcessSlot[process_count], from the start of the arena
  std::uint64_t heap_offset;       // module records and filter ranges, from the start of the arena
  std::uint64_t heap_bytes;
  std::uint64_t lanes_offset;  // lane_count slots of lane_bytes each
  std::uint64_t lane_bytes;
  std::uint32_t process_count;
  std::uint32_t lane_count;
  std::uint64_t lane_header_offset;  // of Lane inside its slot; the shadow stack ends here
  std::uint64_t lane_ring_offset;
  std::uint64_t lane_cells_offset;
  std::uint32_t ring_records;   // power of two
  std::uint32_t cell_count;     // cells in one lane
  std::uint32_t stack_entries;  // shadow stack entries in one lane
};

// Settings that hooks obey. Written by the collector before any target maps the arena.
struct RecordingOptions {
  std::uint64_t span_threshold_ticks;  // 0 keeps every call; kDurationOff none
  OnFull on_full;
  std::uint32_t max_depth;       // 0: unlimited
  std::uint32_t filters_active;  // 1: wait for each module's filter verdict (ModuleRecord)
  SwitchSign switch_sign;
  std::uint64_t
      clock_interval_ticks;        // without a sign, the thread clock is read that often at most
  std::uint64_t ns_per_tick_q60;   // nanoseconds = ticks * this / 2^60; below 2^60
  std::uint32_t operations;        // bit (1 << OperationClass): calls of these are recorded
  std::uint32_t max_stack_frames;  // unwinding stops there, with a mark
  SamplerKind sampler;             // kTimer: every thread sets up its own timer
  MemoryMode memory;
  std::uint64_t sample_interval_ns;   // of CPU time
  std::uint64_t memory_sample_bytes;  // mean distance, MemoryMode::kSample
};

// A lock-free stack of free slots: low 32 bits the index + 1 (0: empty), high 32 bits a tag against
// ABA.
struct FreeStack {
  std::atomic<std::uint64_t> head;
};

struct ArenaHeader {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t reserved0;
  std::uint64_t layout;  // layout_fingerprint() of the collector; a target with another refuses
  ArenaGeometry geometry;
  RecordingOptions options;

  // Futex word. A target that wants the collector's attention (ring half full, thread gone, filter
  // needed) adds 1 and, if collector_sleeping is set, wakes it.
  alignas(64) std::atomic<std::uint32_t> doorbell;
  std::atomic<std::uint32_t> collector_sleeping;

  // First word of a robust process-shared mutex that the collector holds while it lives: the kernel
  // sets kOwnerDied here when the collector dies, however it dies.
  alignas(64) std::atomic<std::uint32_t> collector_alive;
  char collector_mutex_rest[60];

  alignas(64) FreeStack free_lanes;
  std::atomic<std::uint32_t> lanes_used;      // high-water mark; slots below it were used before
  std::atomic<std::uint32_t> processes_used;  // likewise
  FreeStack free_processes;
  std::atomic<std::uint64_t>
      heap_used_bytes;  // both sides take with fetch_add; begins at 64: 0 is "none"
  std::atomic<std::uint64_t> calls_without_lane;  // lost because no lane was free
  std::atomic<std::uint64_t> threads_without_lane;
  std::atomic<std::uint64_t> modules_lost;  // heap full
};
inline constexpr std::uint32_t kOwnerDied = 0x40000000;  // FUTEX_OWNER_DIED

enum class ProcessState : std::uint32_t {
  kFree = 0,
  kClaimed = 1,  // being filled in
  kLive = 2,
};

// One process image: begins with exec or fork, ends with exec, exit or death. Written by the target
// (or, for exec'ed images, filled by the collector during the handshake); freed by the collector.
struct alignas(64) ProcessSlot {
  std::atomic<ProcessState> state;
  std::uint32_t next_free;  // of the free stack: index + 1
  std::uint32_t pid;        // as the process sees itself
  std::uint32_t ppid;
  std::uint32_t parent_slot;    // index + 1 of the slot this one was forked from; 0: came by exec
  std::uint32_t outer_pid;      // as the collector sees it; 0 until known
  std::uint64_t arena_address;  // where this process mapped the arena (owner's address)
  std::uint64_t start_ticks;
  std::atomic<std::uint32_t> newest_module;  // heap offset / 64 of the newest ModuleRecord; 0: none
  std::atomic<std::uint32_t> exit_known;     // 1: exit_status was stored by the process itself
  std::uint32_t exit_status;                 // as given to exit()
  std::uint32_t allocator;                   // kAllocator*: what of its allocations is not seen
  std::uint64_t exit_ticks;
  std::atomic<std::uint32_t> unseen;  // kUnseen*: what of it was given up while it ran
  char reserved[36];
};

// The program, or a library before ours, has a malloc() of its own, which calls none of our hooks.
inline constexpr std::uint32_t kAllocatorOwn = 1;
// The allocator has functions beyond libc's, which are not hooked.
inline constexpr std::uint32_t kAllocatorJemalloc = 2;  // mallocx() ...
inline constexpr std::uint32_t kAllocatorTcmalloc = 4;  // tc_malloc() ...
inline constexpr std::uint32_t kAllocatorMimalloc = 8;  // mi_malloc() ...

// The kernel refused a timer to a thread, which is not sampled.
inline constexpr std::uint32_t kUnseenUntimedThreads = 1;
// The time stamp counter was made a fault, so nothing is recorded from then on.
inline constexpr std::uint32_t kUnseenSinceNoClock = 2;

inline constexpr std::uint32_t kFilterUnresolved = 0;
inline constexpr std::uint32_t kFilterRequested = 1;
inline constexpr std::uint32_t kFilterResolved = 2;

// A mapped ELF file, appended to the session heap by the process that first recorded a function of
// it. Immutable once linked, but for `flags` and the filter fields. A record with
// kModuleUnloaded says that the range is free again from load_ticks on; what older records say of
// it no longer holds.
struct alignas(64) ModuleRecord {
  std::uint32_t older;  // heap offset / 64 of the next older record of this process (or its parent)
  std::uint32_t process_slot;  // index of the slot that wrote it
  std::uint64_t start;         // mapped address range, in the target
  std::uint64_t end;
  std::uint64_t bias;        // address in the process = address in the ELF file + bias
  std::uint64_t load_ticks;  // when it was first seen
  std::atomic<std::uint32_t> flags;
  std::uint16_t
      name_bytes;  // path follows the record, not terminated; 0 bytes: the main executable
  std::uint8_t build_id_bytes;
  std::uint8_t reserved;
  std::uint8_t build_id[32];
  std::atomic<std::uint32_t> filter_state;  // futex word
  std::uint32_t filter_count;               // FilterRange[filter_count], ascending, not overlapping
  std::uint64_t filter_offset;              // from the start of the heap
};
inline constexpr std::uint32_t kModuleUnloaded = 1;
// No longer mapped; set later, on records of its own process.
inline constexpr std::uint32_t kModuleGone = 2;
// About to be: its nodes are being retired.
inline constexpr std::uint32_t kModuleGoing = 4;
// Above: how often the same file was loaded there again.
inline constexpr std::uint32_t kModuleLoad = 8;

// What operations act on, appended to the session heap by the process that first met it. Immutable
// once a node refers to it.
struct alignas(64) ObjectRecord {
  std::uint32_t kind;          // ObjectKind
  std::uint32_t process_slot;  // index of the slot that wrote it
  std::uint64_t address;       // locks: in the target; 0: none
  std::uint64_t pc;            // where it was first met (a return address - 1), 0: unknown
  std::uint32_t module;        // heap reference of the module that holds `address`, 0: none
  std::uint32_t pc_module;     // likewise of `pc`
  std::uint32_t name_bytes;    // the name follows the record, not terminated
  std::uint32_t reserved;
};
static_assert(sizeof(ObjectRecord) == 64);

// Functions at [start, end) of the ELF file (bias removed) leave no trace in the recording.
struct FilterRange {
  std::uint64_t start;
  std::uint64_t end;
};

// Shadow stack entry: one call that has not returned.
//
// Ordinary: `node` is its Node, `flags` 0. Special: `node` is the lane's cell 0 (which matches no
// function, so hooks take the slow way) and `flags` holds what it is; vacant: node is cell 0 (or 0)
// and flags 0: no call yet, a hook was interrupted between taking the entry and filling it. Use
// call_of().
struct Entry {
  std::uint64_t node;  // owner's address
  std::uint64_t start_ticks;
  std::uint64_t sp;     // stack pointer of the caller of the hook; tells abandoned frames
  std::uint64_t flags;  // special: kEntry* in the low 8 bits, cell index of the Node above
};
inline constexpr std::uint64_t kEntryInherited = 1;  // open at fork: the parent counts this call
inline constexpr std::uint64_t kEntryUntimed = 2;  // demoted: counted, not timed; start_ticks is 0
inline constexpr std::uint64_t kEntryFolded = 4;   // reached its node by a fold (see Node)
inline constexpr std::uint64_t kEntryUncounted = 8;  // excluded or past --max-depth: no call at all
inline constexpr std::uint64_t kEntryPastDepth =
    16;  // the node is the last counted caller's, start_ticks
         // the function; always with kEntryUncounted
inline constexpr unsigned kEntryCellShift = 8;

// What an entry says, whichever way it says it. `cells` is Lane::cells. cell 0: vacant.
struct EntryCall {
  std::uint64_t cell;
  std::uint64_t flags;
};
constexpr EntryCall call_of(std::uint64_t node, std::uint64_t flags, std::uint64_t cells) {
  if (node != cells && node != 0) {
    return {(node - cells) / 64U, 0};
  }
  return {flags >> kEntryCellShift, flags & ((std::uint64_t{1} << kEntryCellShift) - 1)};
}
static_assert(sizeof(Entry) == 32);

inline constexpr unsigned kHistogramGroups = 12;
inline constexpr unsigned kBucketsPerGroup = 16;

// Why a node's calls take the slow way through the hooks.
inline constexpr std::uint32_t kNodeExcluded =
    1;  // by filter: no counting, children belong to its parent
inline constexpr std::uint32_t kNodeDemoted = 2;  // set by the collector (--max-overhead)
inline constexpr std::uint32_t kNodeOverflow =
    4;  // child of the root (address 0) that holds calls past the tree's bound

// Bits in Node.address, so that hooks need one comparison. kRetiredBit: the function's module was
// unloaded, no call ever matches it again. kSpecialBit: set whenever `mode` is not 0 (the collector
// sets mode first, then this bit, with atomic or): calls take the slow way. Real addresses have
// neither.
inline constexpr std::uint64_t kRetiredBit = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kSpecialBit = std::uint64_t{1} << 62;

// What Node.address names when it is not the begin of a function that hooks reported: one of these
// tags and, below, the pc, the ObjectRecord (heap offset / 64) or the Operation.
inline constexpr std::uint64_t kPcTag = std::uint64_t{1} << 61;  // an instruction: call or sample
inline constexpr std::uint64_t kObjectTag = std::uint64_t{1} << 60;
inline constexpr std::uint64_t kOperationTag = std::uint64_t{1} << 59;
inline constexpr std::uint64_t kTruncatedTag = std::uint64_t{1} << 58;  // frames beyond are missing
inline constexpr std::uint64_t kTagMask = kPcTag | kObjectTag | kOperationTag | kTruncatedTag;
inline constexpr std::uint64_t kAddressMask = kSpecialBit - 1;  // tags included

// A calling context: (parent, function address). Two cells. The first line is what a hook touches.
// Only the owner writes, except `mode` with kSpecialBit (collector, to demote) and kRetiredBit (the
// thread that unloaded the module).
struct alignas(64) Node {
  std::uint64_t address;
  std::uint64_t calls;        // completed calls
  std::uint64_t total_ticks;  // of completed calls, children included
  std::uint64_t min_ticks;    // ~0 while calls == 0
  std::uint64_t max_ticks;
  std::uint64_t off_cpu_ticks;  // not on a CPU while this node was the innermost
  std::uint32_t samples;  // by the timer in the target; wraps, the collector reads differences
  std::atomic<std::uint32_t> mode;
  std::uint32_t first_child;
  std::uint32_t parent;

  std::uint32_t
      histogram[kHistogramGroups];  // cell indices of HistogramCells; 0: no call there yet
  std::uint32_t next_sibling;
  std::uint32_t older;      // cell index of the node created before this one; 0: none
  std::uint32_t module;     // heap offset / 64 of the ModuleRecord at creation; 0: unknown
  std::uint32_t extension;  // cell index of a NodeExtension; 0: none
};
static_assert(sizeof(Node) == 128);

// Counts of 16 neighbouring buckets; they wrap, the collector reads differences.
struct alignas(64) HistogramCell {
  std::uint32_t count[kBucketsPerGroup];
};
static_assert(sizeof(HistogramCell) == 64);

// What the node of a memory operation (OperationClass::kMemory) counts. Nothing times it, so these
// lie where other nodes have their times: in the line that a hook reads anyway, and in no cell of
// their own. All are 0 in a new node.
template <typename Word>
struct AllocationCounters {
  Word& allocations;
  Word& allocated_bytes;
  Word& frees;
  Word& errors;
};
inline AllocationCounters<std::uint64_t> allocation_counters(Node& node) {
  return {node.calls, node.total_ticks, node.off_cpu_ticks, node.max_ticks};
}
inline AllocationCounters<const std::uint64_t> allocation_counters(const Node& node) {
  return {node.calls, node.total_ticks, node.off_cpu_ticks, node.max_ticks};
}

// What only few nodes need. Folding: past the tree's bound a call does not get a node of its own
// but goes to an existing one (an ancestor of the same function, or a flat node below the overflow
// node). Then  self(node) = total - fold_out - sum over children of (total - fold_in).
struct alignas(64) NodeExtension {
  std::uint64_t untimed_calls;   // demoted calls that were counted only (not in Node.calls)
  std::uint64_t fold_in_calls;   // calls that reached this node by a fold
  std::uint64_t fold_in_ticks;   // and their time
  std::uint64_t fold_out_ticks;  // time of folded calls made from this node
  std::uint64_t bytes;           // moved by operations at this node (Metric::kBytes …)
  std::uint64_t errors;          // operations that failed
  std::uint64_t hold_ticks;      // locks: from acquired to released
  std::uint64_t holds;
};
static_assert(sizeof(NodeExtension) == 64);

inline constexpr std::uint32_t kRootCell =
    2;  // the root node; cells 0 and 1 stay unused so that 0 is "none"

// Span ring records: two words each. Word 0 is the start in ticks. Word 1, written last:
//   bit 63     lap parity of the ring position (position / ring_records) & 1, so a stale record
//   shows bits 60-62 kind (RingKind) bits 38-59 cell index of the node bits 0-37  duration in ticks
// A call longer than 38 bits of ticks is kLongSpan: its next record holds the duration in word 0.
// kEvent heads an event (EventKind in records.h): word 0 its start in ticks, bits 0-7 of word 1 the
// kind, bits 8-15 how many continuations follow. These hold in word 0: duration in ticks; the other
// node (cell | lane index << 32, 0 none); a value; then text, 8 bytes each, NUL-padded. Trailing
// ones may be missing: 0.
// kAllocation: word 0 its time in ticks, bits 0-7 of word 1 the AllocationKind; its continuation
// holds the address in word 0 and the size in bits 0-59 of word 1.
enum class RingKind : std::uint32_t {
  kSpan = 0,
  kLongSpan = 1,
  kContinuation = 2,
  kEvent = 3,
  kAllocation = 4,
};
inline constexpr std::uint64_t kRingBytesMask = (std::uint64_t{1} << 60) - 1;
inline constexpr unsigned kEventContinuationsShift = 8;
inline constexpr unsigned kEventTextAt = 3;  // index of the first continuation that holds text
inline constexpr unsigned kMaxEventContinuations = kEventTextAt + 16;
inline constexpr unsigned kRingKindShift = 60;
inline constexpr unsigned kRingNodeShift = 38;
inline constexpr std::uint64_t kRingNodeMask = (std::uint64_t{1} << 22) - 1;
inline constexpr std::uint64_t kRingDurationMask = (std::uint64_t{1} << 38) - 1;
inline constexpr std::uint64_t kRingLapBit = std::uint64_t{1} << 63;
// The producer stops this many records before the end, so that signal handlers that interrupt a
// hook can never reserve beyond it.
inline constexpr std::uint64_t kRingMargin = 64;

// Lane::pending_duration: the node's cell and the bucket. Cell kRootCell: nothing is pending.
constexpr std::uint64_t pending_of(std::uint64_t cell, std::uint64_t bucket) {
  return cell << 8U | bucket;
}
constexpr std::uint32_t pending_cell(std::uint64_t pending) {
  return static_cast<std::uint32_t>(pending >> 8U);
}
constexpr std::uint32_t pending_bucket(std::uint64_t pending) {
  return static_cast<std::uint32_t>(pending & 255U);
}

enum class LaneState : std::uint32_t {
  kFree = 0,
  kClaimed = 1,
  kLive = 2,
  kExiting = 3,  // the thread runs its last destructors; the collector waits until the tid is gone
};

// How off-CPU time was found.
enum class CpuClock : std::uint32_t { kNone = 0, kExact = 1, kApproximate = 2 };

struct alignas(64) Lane {
  // What every hook reads; the owner writes.
  std::uint64_t top;  // owner's address of the innermost open Entry
  std::uint64_t span_threshold_ticks;
  std::uint64_t
      switch_word;  // owner's address of a word that changes when the thread is switched in
  std::uint64_t
      clock_deadline_ticks;   // past this the thread clock is read (approximate mode); ~0: never
  std::uint64_t cells;        // owner's address of cell 0
  std::uint64_t stack_limit;  // owner's address below which no Entry fits
  std::uint32_t switch_seen;
  std::uint32_t deep_calls;  // open calls that found no Entry (depth past the stack)
  std::uint64_t
      pending_duration;  // of the call that ended last: counted in its node, but not yet in
                         // its histogram; pending_of(). Readers add it to what they read.

  // The ring's producer side; the owner writes.
  std::uint64_t ring_head;    // next position to reserve; positions only grow
  std::uint64_t ring_limit;   // cached: reserve only while ring_head < ring_limit
  std::uint64_t ring;         // owner's address of record 0
  std::uint64_t doorbell_at;  // ring the doorbell when ring_head reaches this
  std::uint32_t ring_shift;   // log2(ring_records)
  std::uint32_t on_full;      // OnFull
  std::uint64_t spans_dropped;
  std::uint64_t last_sync_ticks;  // when thread CPU time was last read
  std::uint64_t last_sync_cpu_ns;

  // The ring's consumer side; the collector writes.
  alignas(64) std::atomic<std::uint64_t> ring_tail;  // records below are free again
  std::atomic<std::uint32_t> drain_epoch;            // futex word: +1 whenever ring_tail moved
  std::atomic<std::uint32_t> writer_waiting;  // OnFull::kBlock: the owner sleeps on drain_epoch

  // Identity and rare counters.
  alignas(64) std::atomic<LaneState> state;
  std::uint32_t next_free;     // of the free stack: index + 1
  std::uint32_t process_slot;  // index
  std::uint32_t tid;           // as the process sees it
  std::uint64_t birth_ticks;   // first record of the thread
  std::uint64_t birth_cpu_ns;
  std::uint64_t exit_ticks;  // valid from kExiting on
  std::uint64_t exit_cpu_ns;
  std::uint64_t seen_ticks;   // when another thread, which ends the process, read the CPU clock;
  std::uint64_t seen_cpu_ns;  // 0: never
  CpuClock cpu_clock;
  std::uint32_t newest_node;  // cell index; head of the Node.older chain
  char name[16];              // thread name, NUL-padded

  std::atomic<std::uint32_t> cells_used;
  std::uint32_t tree_full;         // 1: the bound was reached, folding began
  std::uint64_t frames_repaired;   // left by longjmp, context switch …, closed by us
  std::uint64_t orphan_exits;      // exits without an open call
  std::uint64_t deep_calls_lost;   // calls past the shadow stack: not recorded
  std::uint64_t folded_calls;      // calls past the tree's bound: counted at another node
  std::uint64_t clock_clamps;      // durations that would have been negative
  std::uint64_t filter_timeouts;   // nodes created without the collector's filter verdict
  std::uint64_t stacks_truncated;  // unwinding stopped before the stack's end
  std::uint64_t stacks_shortened;  // inner frames left out, past the tree's bound
  std::uint64_t events_dropped;
  std::uint64_t allocations_dropped;  // AllocationRecords
  std::uint32_t lookup_used;          // 1: the lookup table holds something
  std::uint32_t overflow_node;        // cell index of the kNodeOverflow node; 0: none
  std::uint64_t stack_ready;  // owner's address: entries above have their node set (vacant or not)

  // The lock that the thread waits for, and who has it: should it never get it.
  std::uint32_t awaited_cell;         // of the lock's node; 0: it waits for none
  std::uint32_t awaited_holder_tid;   // as of kContention
  std::uint32_t awaited_holder_cell;  // of the lane below
  std::uint32_t awaited_holder_lane;
  std::uint64_t awaited_since_ticks;
};
static_assert(offsetof(Lane, ring_tail) == 128);

// The lookup table finds a child by its parent and its function: cell indices, 0: none. Every call
// reads it, so where it lies and how long it is are constants. What a slot names may be another
// child: readers compare parent and address.
inline constexpr std::uint64_t kLookupDistance = 4096;  // from the Lane, in bytes
inline constexpr unsigned kLookupBits = 13;
inline constexpr std::uint32_t kLookupEntries = 1U << kLookupBits;
static_assert(sizeof(Lane) <= kLookupDistance);

// An unwind must have a frame's cell before it can look for the next one's, so the parent comes in
// last, with one addition; nodes take two cells. The factor is one of 1500 that were tried: with it
// functions at even distances below many parents meet least.
constexpr std::uint64_t lookup_index(std::uint32_t parent_cell, std::uint64_t address) {
  return (address * 0xd2894e66df2dfdedULL + (std::uint64_t{parent_cell} << (63U - kLookupBits))) >>
         (64U - kLookupBits);
}

// FNV-1a over sizes and key offsets: two builds that disagree on the layout refuse each other.
constexpr std::uint64_t layout_fingerprint() {
  const std::uint64_t parts[] = {
      kArenaVersion,    sizeof(ArenaHeader),   sizeof(ProcessSlot),       sizeof(ModuleRecord),
      sizeof(Entry),    sizeof(Node),          sizeof(ObjectRecord),      sizeof(NodeExtension),
      sizeof(Lane),     offsetof(Lane, state), offsetof(Lane, ring_tail), kRingNodeShift,
      kHistogramGroups, kBucketsPerGroup};
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const std::uint64_t part : parts) {
    hash = (hash ^ part) * 0x100000001b3ULL;
  }
  return hash;
}

// The handshake on the session socket (SOCK_SEQPACKET, abstract name in SPYGLASS_SESSION): the
// target sends Hello; the collector answers Welcome, with the arena's descriptor when status is
// kWelcome.
struct Hello {
  std::uint64_t magic;
  std::uint64_t layout;
  std::uint32_t version;
  std::uint32_t pid;
};
enum class WelcomeStatus : std::uint32_t {
  kWelcome = 0,
  kOtherVersion = 1,
  kNoRoom = 2,
  kRefused = 3
};
struct Welcome {
  std::uint64_t magic;
  WelcomeStatus status;
  std::uint32_t process_slot;  // index, already kClaimed for the target
  std::uint64_t arena_bytes;
};

}  // namespace spyglass::format
