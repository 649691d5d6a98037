// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/lane.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "recorder/runtime/clock.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/cpu_clock.h"
#include "recorder/runtime/exception_record.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"
#include "recorder/runtime/timer_sampler.h"

namespace spyglass::runtime {

__thread ThreadState t_thread;

namespace {

using format::Entry;
using format::Lane;
using format::LaneState;
using format::Node;

constexpr std::uint64_t kMaxForkedCalls = 65536;
constexpr std::uint64_t kNothingPending = format::pending_of(format::kRootCell, 0);
constexpr std::uint32_t kExitRounds = 4;  // PTHREAD_DESTRUCTOR_ITERATIONS: as late as we can get

std::uint64_t slot_of(const Lane* lane) {
  return reinterpret_cast<std::uint64_t>(lane) - g_session.arena->geometry.lane_header_offset;
}

// Index of a lane that was used before, so that its pages are warm; ~0: none.
std::uint32_t pop_free_lane() {
  std::atomic<std::uint64_t>& head = g_session.arena->free_lanes.head;
  std::uint64_t seen = head.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(seen) != 0) {
    const std::uint32_t index = static_cast<std::uint32_t>(seen) - 1;
    if (index >= g_session.lane_limit) {
      return ~std::uint32_t{0};
    }
    const std::uint64_t tag = (seen >> 32U) + 1;
    const std::uint64_t next = tag << 32U | lane_at(index)->next_free;
    // Acquire pairs with the collector's push: it is done with the lane.
    if (head.compare_exchange_weak(seen, next, std::memory_order_acquire)) {
      return index;
    }
  }
  return ~std::uint32_t{0};
}

std::uint32_t take_fresh_lane() {
  std::atomic<std::uint32_t>& used = g_session.arena->lanes_used;
  std::uint32_t index = used.load(std::memory_order_relaxed);
  while (index < g_session.lane_limit) {
    if (used.compare_exchange_weak(index, index + 1, std::memory_order_relaxed)) {
      return index;
    }
  }
  return ~std::uint32_t{0};
}

void clear_counters(Lane* lane) {
  lane->deep_calls = 0;
  lane->spans_dropped = 0;
  lane->frames_repaired = 0;
  lane->orphan_exits = 0;
  lane->deep_calls_lost = 0;
  lane->folded_calls = 0;
  lane->clock_clamps = 0;
  lane->filter_timeouts = 0;
  lane->stacks_truncated = 0;
  lane->stacks_shortened = 0;
  lane->events_dropped = 0;
  lane->allocations_dropped = 0;
  lane->awaited_cell = 0;
  lane->exit_ticks = 0;
  lane->exit_cpu_ns = 0;
  lane->seen_ticks = 0;
  lane->seen_cpu_ns = 0;
}

void open_ring(Lane* lane) {
  const format::ArenaGeometry& geometry = g_session.arena->geometry;
  const format::RecordingOptions& options = g_session.arena->options;
  lane->ring = slot_of(lane) + geometry.lane_ring_offset;
  lane->ring_shift = static_cast<std::uint32_t>(__builtin_ctz(geometry.ring_records));
  lane->on_full = static_cast<std::uint32_t>(options.on_full);
  lane->span_threshold_ticks = options.span_threshold_ticks;
  // Positions go on where the lane's last thread stopped, so that the lap parity stays right.
  lane->ring_head = lane->ring_tail.load(std::memory_order_acquire);
  lane->ring_limit = options.on_full == format::OnFull::kDropOldest
                         ? ~std::uint64_t{0}
                         : lane->ring_head + geometry.ring_records - format::kRingMargin;
  lane->doorbell_at = lane->ring_head + geometry.ring_records / 4;
}

void open_stack(Lane* lane) {
  Entry* base = base_of(lane);
  base->node = reinterpret_cast<std::uint64_t>(node_at(lane, format::kRootCell));
  base->sp = ~std::uint64_t{0};
  base->flags = 0;
  base->start_ticks = lane->birth_ticks;
  lane->stack_limit = slot_of(lane) + kStackCheckBytes;
  lane->stack_ready = reinterpret_cast<std::uint64_t>(base);
  lane->top = reinterpret_cast<std::uint64_t>(base);
  make_stack_ready(lane);
}

void set_up_lane(Lane* lane) {
  lane->process_slot = g_session.process_slot;
  lane->tid = static_cast<std::uint32_t>(kernel(SYS_gettid));
  lane->cells = slot_of(lane) + g_session.arena->geometry.lane_cells_offset;
  for (char& c : lane->name) {
    c = 0;
  }
  kernel(SYS_prctl, PR_GET_NAME, lane->name);
  clear_counters(lane);
  plant_root(lane);
  forget_throws(lane);
  lane->pending_duration = kNothingPending;
  open_ring(lane);
  start_cpu_clock(lane);
  lane->birth_ticks = lane->last_sync_ticks;
  lane->birth_cpu_ns = lane->last_sync_cpu_ns;
  open_stack(lane);
  // Release: the collector reads the lane only in this state.
  lane->state.store(LaneState::kLive, std::memory_order_release);
}

Lane* take_lane() {
  std::uint32_t index = pop_free_lane();
  if (index == ~std::uint32_t{0}) {
    index = take_fresh_lane();
  }
  if (index == ~std::uint32_t{0}) {
    g_session.arena->threads_without_lane.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  Lane* lane = lane_at(index);
  lane->state.store(LaneState::kClaimed, std::memory_order_relaxed);
  set_up_lane(lane);
  return lane;
}

bool is_recording() {
  if (g_fork_page.recording != 0) {
    return true;
  }
  switch (g_session.state.load(std::memory_order_acquire)) {
    case SessionState::kUnknown:
      start_session();
      break;
    case SessionState::kOn:
      begin_forked_process();
      break;
    case SessionState::kStarting:
    case SessionState::kOff:
      return false;
  }
  return g_fork_page.recording != 0;
}

}  // namespace

Entry* base_of(const Lane* lane) {
  return reinterpret_cast<Entry*>(reinterpret_cast<std::uint64_t>(lane) - sizeof(Entry));
}

void make_stack_ready(Lane* lane) {
  const std::uint64_t end = (lane->top - 1) / kStackCheckBytes * kStackCheckBytes;
  if (end >= lane->stack_ready || end < slot_of(lane)) {
    return;
  }
  for (auto* entry = reinterpret_cast<Entry*>(end); entry < top_of(lane); ++entry) {
    entry->node = lane->cells;
    entry->flags = 0;
  }
  lane->stack_ready = end;
}

Lane* ready_lane() {
  if (!is_recording()) {
    return nullptr;
  }
  if (t_thread.lane != nullptr) {
    return t_thread.lane;
  }
  if (t_thread.busy == kThreadMuted) {
    return nullptr;
  }
  if (t_thread.busy != 0 || t_thread.refused != 0 || g_kernel_restricted != 0) {
    g_session.arena->calls_without_lane.fetch_add(1, std::memory_order_relaxed);
    return nullptr;
  }
  t_thread.busy = 1;
  signal_fence();
  Lane* lane = take_lane();
  t_thread.refused = lane == nullptr ? 1 : 0;
  t_thread.lane = lane;
  signal_fence();
  t_thread.busy = 0;
  if (lane != nullptr) {
    start_thread_sampling();
  }
  if (lane != nullptr && g_session.thread_key != ~std::uint32_t{0}) {
    // Keys below 32 live in the thread descriptor: no allocation.
    pthread_setspecific(g_session.thread_key, reinterpret_cast<void*>(std::uint64_t{kExitRounds}));
  }
  return lane;
}

ForkedPath* copy_open_calls() {
  const Lane* lane = g_fork_page.recording != 0 ? t_thread.lane : nullptr;
  if (lane == nullptr || top_of(lane) == base_of(lane)) {
    return nullptr;
  }
  auto count = static_cast<std::uint64_t>(base_of(lane) - top_of(lane));
  count = count < kMaxForkedCalls ? count : kMaxForkedCalls;
  const std::uint64_t bytes = sizeof(ForkedPath) + count * sizeof(ForkedPath::Call);
  const long mapped =
      kernel(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped < 0 && mapped > -4096) {
    return nullptr;
  }
  auto* path = reinterpret_cast<ForkedPath*>(mapped);
  path->bytes = bytes;
  const Entry* entry = base_of(lane) - 1;
  for (std::uint64_t i = 0; i < count; ++i, --entry) {
    const format::EntryCall call = format::call_of(entry->node, entry->flags, lane->cells);
    if (call.cell == 0 || (call.flags & format::kEntryUncounted) != 0) {
      continue;
    }
    const Node* node = node_at(lane, static_cast<std::uint32_t>(call.cell));
    path->calls()[path->count] = {node->address & format::kAddressMask, entry->sp};
    path->count += 1;
  }
  return path;
}

void free_open_calls(ForkedPath* path) {
  if (path != nullptr) {
    kernel(SYS_munmap, path, path->bytes);
  }
}

namespace {
Node* innermost_node(const Lane* lane) {
  const Entry* top = top_of(lane);
  const format::EntryCall call = format::call_of(top->node, top->flags, lane->cells);
  return node_at(lane, static_cast<std::uint32_t>(call.cell));
}
}  // namespace

void reopen_calls(const ForkedPath& path) {
  Lane* lane = ready_lane();
  if (lane == nullptr) {
    return;
  }
  for (std::uint64_t i = 0; i < path.count; ++i) {
    const CallTarget target = find_target(lane, innermost_node(lane), path.calls()[i].address);
    if (lane->top % kStackCheckBytes == 0) {
      make_stack_ready(lane);
    }
    auto* entry = top_of(lane) - 1;
    entry->node = lane->cells;
    entry->sp = path.calls()[i].sp;
    entry->flags = std::uint64_t{cell_of(lane, target.node)} << format::kEntryCellShift |
                   format::kEntryInherited | target.flags;
    entry->start_ticks = lane->birth_ticks;
    signal_fence();
    lane->top = reinterpret_cast<std::uint64_t>(entry);
  }
}

void note_thread_name() {
  Lane* lane = g_fork_page.recording != 0 ? t_thread.lane : nullptr;
  if (lane != nullptr && g_kernel_restricted == 0) {
    kernel(SYS_prctl, PR_GET_NAME, lane->name);
  }
}

void note_thread_exit() {
  Lane* lane = g_fork_page.recording != 0 ? t_thread.lane : nullptr;
  if (lane == nullptr || lane->state.load(std::memory_order_relaxed) != LaneState::kLive) {
    return;
  }
  stop_thread_sampling();
  record_escapes(lane, nullptr);
  settle_pending(lane, kNothingPending);
  sync_cpu_now(lane, top_of(lane));
  stop_cpu_clock(lane);
  kernel(SYS_prctl, PR_GET_NAME, lane->name);
  lane->exit_ticks = lane->last_sync_ticks;
  lane->exit_cpu_ns = lane->last_sync_cpu_ns;
  // Release: the collector that sees kExiting sees the exit times.
  lane->state.store(LaneState::kExiting, std::memory_order_release);
  // The collector looks at every snapshot; short threads in great numbers must not wait that long.
  if ((g_session.arena->lanes_used.load(std::memory_order_relaxed) & 63U) == 0) {
    ring_doorbell(lane);
  }
}

}  // namespace spyglass::runtime
