// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/lane_table.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/proc_files.h"

namespace spyglass::collector {
namespace {

using format::Lane;
using format::LaneState;
using format::LossKind;

constexpr std::uint64_t kManySpans = 2U << 20U;  // waiting in all lanes
constexpr std::uint64_t kDeepStackBytes = 4096 * sizeof(format::Entry);
constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kMostYoung = 128;  // looked at in one snapshot

std::string name_of(const Lane& lane) {
  char name[sizeof(lane.name)];
  std::memcpy(name, lane.name, sizeof(name));
  return {name, ::strnlen(name, sizeof(name))};
}

}  // namespace

LaneTable::LaneTable(const Arena& arena, ProcessTable& processes, LaneNodes& nodes,
                     LaneDrain& drain, CounterSnapshot& snapshot, OverheadBudget& budget,
                     SampleTasks& tasks, Recording& recording)
    : arena_(arena),
      processes_(processes),
      nodes_(nodes),
      drain_(drain),
      snapshot_(snapshot),
      budget_(budget),
      tasks_(tasks),
      recording_(recording),
      cpu_time_(arena, snapshot),
      ns_per_tick_q60_(peek(arena.header().options.ns_per_tick_q60)) {
  views_.resize(arena.geometry().lane_count);
  drain_.know_lanes(views_);
}

void LaneTable::take_in(std::uint32_t index) {
  const Lane& lane = arena_.lane(index);
  ProcessEntry* process = processes_.by_slot(peek(lane.process_slot));
  if (process == nullptr) {
    return;  // not known yet, or nonsense
  }
  views_[index] = std::make_unique<LaneView>();
  LaneView& view = *views_[index];
  view.index = index;
  view.process = process;
  view.tail = lane.ring_tail.load(std::memory_order_relaxed);
  const std::uint32_t tid = peek(lane.tid);
  const bool same_namespace = peek(arena_.process(process->slot).pid) == process->outer_pid;
  view.outer_tid =
      same_namespace || process->outer_pid == 0 ? tid : find_outer_tid(process->outer_pid, tid);
  view.thread.birth_ticks = peek(lane.birth_ticks);
  view.thread.id = tasks_.lane_began(process->record.id, view.outer_tid, view.thread.birth_ticks);
  view.thread.process = process->record.id;
  view.thread.tid = view.outer_tid != 0 ? view.outer_tid : tid;
  take_own_name(view);
  take_cpu_accuracy(view);
  recording_.add(view.thread);
  process->lanes.push_back(index);
  nodes_.take_new(view);
}

std::uint64_t LaneTable::pass() {
  std::uint64_t records = 0;
  claimed_.clear();
  const std::uint32_t used = arena_.lanes_used();
  // All of them first: events of one name nodes of another.
  for (std::uint32_t index = 0; index < used; ++index) {
    const LaneState state = arena_.lane(index).state.load(std::memory_order_acquire);
    if (views_[index] == nullptr && state == LaneState::kClaimed) {
      claimed_.push_back(index);
    } else if (views_[index] == nullptr &&
               (state == LaneState::kLive || state == LaneState::kExiting)) {
      take_in(index);
    }
  }
  for (std::uint32_t index = 0; index < used; ++index) {
    if (views_[index] == nullptr) {
      continue;
    }
    const LaneState state = arena_.lane(index).state.load(std::memory_order_acquire);
    LaneView& view = *views_[index];
    records += drain_.drain(view, false);
    if ((state == LaneState::kExiting && is_gone(view)) || !view.process->live) {
      std::erase(view.process->lanes, index);
      close(view, now_ticks());
    }
  }
  if (drain_.waiting_spans() > kManySpans) {
    for (const std::unique_ptr<LaneView>& view : views_) {
      if (view != nullptr) {
        drain_.write_spans(*view);
      }
    }
  }
  return records;
}

bool LaneTable::is_gone(LaneView& view) const {
  if (view.process->outer_pid == 0 || view.outer_tid == 0) {
    return true;
  }
  return ::syscall(SYS_tgkill, view.process->outer_pid, view.outer_tid, 0) != 0 && errno == ESRCH;
}

bool LaneTable::open_calls_due(const LaneView& view, std::uint64_t now_ticks) const {
  const Lane& lane = arena_.lane(view.index);
  const std::uint64_t depth_bytes = peek(lane.cells) - arena_.geometry().lane_cells_offset +
                                    arena_.geometry().lane_header_offset - peek(lane.top);
  return depth_bytes < kDeepStackBytes ||
         now_ticks - view.open_calls_ticks > ticks_of_ns(kSecondNs, ns_per_tick_q60_);
}

void LaneTable::snapshot(std::uint64_t now_ticks, std::uint64_t elapsed_ticks) {
  const std::uint32_t used = arena_.lanes_used();
  for (std::uint32_t index = 0; index < used; ++index) {
    LaneView* view = views_[index].get();
    if (view == nullptr || (!snapshot_.is_active(*view) && !budget_.active())) {
      continue;
    }
    view->active = true;
    view->active_since_reading = true;
    snapshot_.take_counters(*view);
    if (budget_.active()) {
      budget_.settle(*view, elapsed_ticks, now_ticks);
    }
    if (open_calls_due(*view, now_ticks)) {
      snapshot_.take_open_calls(*view, now_ticks, false);
    }
  }
  refresh_young(now_ticks);
}

// A thread that ends takes with it what only the kernel knew: how long it was ready while others
// ran, and when it is killed, its CPU time. So the younger, the more often it is looked at: what
// came after the last look is a sixteenth of its life, or the time between two snapshots.
void LaneTable::refresh_young(std::uint64_t now_ticks) {
  constexpr std::uint64_t kLooksInALife = 16;
  const std::uint64_t old_ticks = ticks_of_ns(kLooksInALife * kSecondNs, ns_per_tick_q60_);
  const std::uint32_t used = arena_.lanes_used();
  std::size_t looks = 0;
  for (std::uint32_t index = 0; index < used && looks < kMostYoung; ++index) {
    LaneView* view = views_[index].get();
    const std::uint64_t age_ticks =
        view == nullptr ? old_ticks : now_ticks - view->thread.birth_ticks;
    if (age_ticks < old_ticks &&
        (now_ticks - view->cpu_reading_ticks) >= age_ticks / kLooksInALife) {
      refresh_thread(*view, now_ticks);
      looks += 1;
    }
  }
}

// As the thread said last, if it has said something since.
void LaneTable::take_own_name(LaneView& view) const {
  std::string name = name_of(arena_.lane(view.index));
  if (name != view.own_name) {
    view.own_name = name;
    view.thread.name = std::move(name);
  }
}

// A thread that began with the exact clock may have had to go over to the other since.
void LaneTable::take_cpu_accuracy(LaneView& view) const {
  const auto said = static_cast<std::uint32_t>(peek(arena_.lane(view.index).cpu_clock));
  view.thread.cpu_accuracy = static_cast<format::CpuAccuracy>(std::min(said, 2U));
}

void LaneTable::refresh_thread(LaneView& view, std::uint64_t now_ticks) {
  const std::uint64_t cpu_before = view.thread.cpu_ns;
  const std::string name_before = view.thread.name;
  take_own_name(view);
  take_cpu_accuracy(view);
  // Others can rename it, too.
  if (std::string name = read_thread_name(view.process->outer_pid, view.outer_tid); !name.empty()) {
    view.thread.name = std::move(name);
  }
  if (const auto times = read_thread_times(view.process->outer_pid, view.outer_tid)) {
    cpu_time_.note_reading(view, times->cpu_ns, now_ticks);
    view.thread.runnable_ns = times->runnable_ns;
    view.thread.cpu_ns = cpu_time_.ns(view, now_ticks);
  }
  if (view.thread.cpu_ns != cpu_before || view.thread.name != name_before) {
    recording_.add(view.thread);
  }
}

void LaneTable::see_which_ran() {
  for (ProcessEntry* process : processes_.live()) {
    const auto cpu_ns = read_process_cpu_ns(process->outer_pid);
    process->ran = !cpu_ns || *cpu_ns != process->seen_cpu_ns;
    process->seen_cpu_ns = cpu_ns.value_or(0);
  }
}

void LaneTable::look_around(std::uint64_t now_ticks) {
  see_which_ran();  // before any thread is read: what one does in between shows at the next look
  const std::uint32_t used = arena_.lanes_used();
  for (std::uint32_t index = 0; index < used; ++index) {
    LaneView* view = views_[index].get();
    if (view == nullptr) {
      continue;
    }
    if (is_gone(*view)) {
      std::erase(view->process->lanes, index);
      close(*view, now_ticks);
      continue;
    }
    drain_.write_spans(*view);
    if (std::exchange(view->active, false)) {
      refresh_thread(*view, now_ticks);
      count_losses(*view);
    } else {
      quiet_.push_back(index);
    }
  }
  refresh_quiet(now_ticks);
}

// What makes no call may compute all the same, or sleep where nobody sees it: should it be killed,
// this is all that is known of its CPU time. A look at 10 000 threads takes 60 ms, so at most
// kMostQuiet of those whose processes ran, each in its turn.
void LaneTable::refresh_quiet(std::uint64_t now_ticks) {
  constexpr std::size_t kMostQuiet = 512;
  const auto begin = std::lower_bound(quiet_.begin(), quiet_.end(), quiet_from_);
  std::rotate(quiet_.begin(), begin, quiet_.end());
  std::size_t looks = 0;
  for (const std::uint32_t index : quiet_) {
    LaneView& view = *views_[index];
    if (!view.process->ran) {
      view.cpu_reading_ticks = view.cpu_reading_ticks == 0 ? 0 : now_ticks;  // it still holds
      view.cpu_share = 0;
    } else if (looks++ < kMostQuiet) {
      refresh_thread(view, now_ticks);
      quiet_from_ = index + 1;
    }
  }
  quiet_.clear();
}

void LaneTable::count_losses(const LaneView& view) {
  const Lane& lane = arena_.lane(view.index);
  const std::uint32_t thread = view.thread.id;
  LossLedger& losses = recording_.losses();
  losses.set(LossKind::kSpans, thread, "ring full", peek(lane.spans_dropped));
  losses.set(LossKind::kSpans, thread, "overwritten", view.overwritten);
  losses.set(LossKind::kSpans, thread, "damaged", view.damaged);
  losses.set(LossKind::kCalls, thread, "stack too deep", peek(lane.deep_calls_lost));
  losses.set(LossKind::kRepairedFrames, thread, "left without return", peek(lane.frames_repaired));
  losses.set(LossKind::kOrphanExits, thread, "exit without call", peek(lane.orphan_exits));
  losses.set(LossKind::kFoldedCalls, thread, "tree full", peek(lane.folded_calls));
  losses.set(LossKind::kClockClamps, thread, "clock went back", peek(lane.clock_clamps));
  losses.set(LossKind::kEvents, thread, "ring full", peek(lane.events_dropped));
  losses.set(LossKind::kAllocations, thread, "ring full", peek(lane.allocations_dropped));
  losses.set(LossKind::kTruncatedStacks, thread, "not followed to the end",
             peek(lane.stacks_truncated));
  losses.set(LossKind::kShortenedStacks, thread, "the tree reached its bound, --tree-size",
             peek(lane.stacks_shortened));
  losses.set(LossKind::kUnfilteredNodes, thread, "no filter verdict", peek(lane.filter_timeouts));
}

void LaneTable::complete_thread(LaneView& view, std::uint64_t end_ticks, bool ended) {
  const Lane& lane = arena_.lane(view.index);
  const std::uint64_t said_ticks = peek(lane.exit_ticks);
  if (said_ticks >= view.thread.birth_ticks && said_ticks < end_ticks) {
    end_ticks = said_ticks;
  }
  drain_.write_spans(view);
  snapshot_.take_counters(view);
  view.active_since_reading = snapshot_.is_active(view) || view.active_since_reading;
  snapshot_.take_open_calls(view, end_ticks, true);
  count_losses(view);
  take_own_name(view);
  take_cpu_accuracy(view);
  view.thread.cpu_ns = cpu_time_.ns(view, end_ticks);
  view.thread.exit_ticks = ended ? std::max(end_ticks, view.thread.birth_ticks) : 0;
  recording_.add(view.thread);
}

void LaneTable::close(LaneView& view, std::uint64_t end_ticks) {
  while (drain_.drain(view, true) != 0) {
  }
  complete_thread(view, end_ticks, true);
  tasks_.lane_ended(view.process->record.id, view.outer_tid, end_ticks);
  const std::uint32_t index = view.index;
  drain_.remember(view);
  arena_.free_lane(index, view.tail);
  views_[index].reset();
}

// Of a thread that will never get the lock that it waits for. While all lanes of the process are
// known: another one's may have it.
void LaneTable::note_unfinished_wait(LaneView& view, std::uint64_t end_ticks) {
  const Lane& lane = arena_.lane(view.index);
  const std::uint64_t waits_from = snapshot_.waiting_since(view);
  if (waits_from != 0 && peek(lane.awaited_cell) != 0 &&
      peek(lane.awaited_since_ticks) >= waits_from) {
    drain_.add_unfinished_wait(view, end_ticks);
  }
}

void LaneTable::close_process(ProcessEntry& process, std::uint64_t end_ticks) {
  for (const std::uint32_t index : process.lanes) {
    while (drain_.drain(*views_[index], true) != 0) {
    }
    note_unfinished_wait(*views_[index], end_ticks);
  }
  for (const std::uint32_t index : std::exchange(process.lanes, {})) {
    close(*views_[index], end_ticks);
  }
  for (const std::uint32_t index : claimed_) {
    const Lane& lane = arena_.lane(index);
    if (lane.state.load(std::memory_order_acquire) == LaneState::kClaimed &&
        peek(lane.process_slot) == process.slot) {
      arena_.free_lane(index, lane.ring_tail.load(std::memory_order_relaxed));
    }
  }
}

void LaneTable::finish(std::uint64_t now_ticks) {
  for (const std::unique_ptr<LaneView>& view : views_) {
    if (view != nullptr) {
      drain_.drain(*view, false);
      note_unfinished_wait(*view, now_ticks);
      refresh_thread(*view, now_ticks);
      complete_thread(*view, now_ticks, false);
    }
  }
}

}  // namespace spyglass::collector
