// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/process_table.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "recorder/collector/proc_files.h"
#include "recorder/collector/recording.h"
#include "recorder/collector/sample_tasks.h"

namespace spyglass::collector {
namespace {

constexpr std::size_t kRememberedEnds = 65536;

}  // namespace

ProcessEnd end_from_wait_status(std::optional<int> wait_status, std::uint64_t ticks) {
  if (wait_status && WIFEXITED(*wait_status)) {
    return {format::ExitKind::kExited, static_cast<std::uint32_t>(WEXITSTATUS(*wait_status)),
            ticks};
  }
  if (wait_status && WIFSIGNALED(*wait_status)) {
    return {format::ExitKind::kSignaled, static_cast<std::uint32_t>(WTERMSIG(*wait_status)), ticks};
  }
  return {format::ExitKind::kUnknown, 0, ticks};
}

ProcessTable::ProcessTable(const Arena& arena, Recording& recording, SampleTasks& tasks)
    : arena_(arena),
      recording_(recording),
      tasks_(tasks),
      reaper_(static_cast<std::uint32_t>(::getpid())) {
  slots_.resize(arena.geometry().process_count);
}

ProcessEntry& ProcessTable::insert(std::uint32_t slot, std::uint32_t outer_pid, std::uint32_t id) {
  slots_[slot] = std::make_unique<ProcessEntry>();
  ProcessEntry& entry = *slots_[slot];
  entry.slot = slot;
  entry.outer_pid = outer_pid;
  entry.record.id = id;
  live_count_ += 1;
  if (outer_pid != 0) {
    by_pid_[outer_pid] = &entry;
  }
  return entry;
}

ProcessEntry* ProcessTable::add_image(const NewImage& image) {
  ProcessEntry* before = by_pid(image.outer_pid);
  const std::uint32_t id = tasks_.join(image.outer_pid, image.ticks, false, image.executable);
  ProcessEntry& entry = insert(image.slot, image.outer_pid, id);
  format::ProcessRecord& record = entry.record;
  record.pid = image.outer_pid;
  record.ppid = image.ppid;
  record.command = image.command;
  record.executable = image.executable;
  record.start_ticks = image.ticks;
  entry.executable = image.executable;
  const ProcessEntry* parent = before != nullptr ? before : by_pid(record.ppid);
  record.parent = parent != nullptr ? parent->record.id : 0;
  recording_.add(record);
  return before;
}

std::vector<ProcessEntry*> ProcessTable::find_forked() {
  std::vector<ProcessEntry*> found;
  const std::uint32_t used = arena_.processes_used();
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    const format::ProcessSlot& process = arena_.process(slot);
    if (slots_[slot] == nullptr && peek(process.parent_slot) != 0 &&
        process.state.load(std::memory_order_acquire) == format::ProcessState::kLive) {
      found.push_back(add_forked(slot));
    }
  }
  return found;
}

ProcessEntry* ProcessTable::add_forked(std::uint32_t slot) {
  format::ProcessSlot& process = arena_.process(slot);
  const ProcessEntry* parent = by_slot(peek(process.parent_slot) - 1);
  const std::uint32_t pid = peek(process.pid);
  // A parent outside of the child's namespace has no number there.
  const bool other_namespace =
      peek(process.ppid) == 0 ||
      (parent != nullptr && peek(arena_.process(parent->slot).pid) != parent->outer_pid &&
       parent->outer_pid != 0);
  std::uint32_t outer_pid =
      find_outer_pid(pid, parent != nullptr ? parent->outer_pid : 0, reaper_, other_namespace);
  if (outer_pid == 0 && early_ends_.contains(pid)) {
    outer_pid = pid;
  }
  const std::uint64_t start_ticks = peek(process.start_ticks);
  // Too late to see it, but the kernel's records may tell of it: in our namespace by this number.
  const std::uint32_t told_pid = outer_pid == 0 && !other_namespace ? pid : outer_pid;
  ProcessEntry& entry = insert(slot, outer_pid, tasks_.join(told_pid, start_ticks, true, ""));
  __atomic_store_n(&process.outer_pid, outer_pid, __ATOMIC_RELAXED);
  format::ProcessRecord& record = entry.record;
  record.pid = outer_pid != 0 ? outer_pid : pid;
  record.ppid = peek(process.ppid);
  record.start_ticks = start_ticks;
  record.forked = true;
  if (parent != nullptr) {
    record.ppid = parent->record.pid;
    record.parent = parent->record.id;
    record.command = parent->record.command;
    record.executable = parent->record.executable;
    entry.executable = parent->executable;
  }
  recording_.add(record);
  return &entry;
}

ProcessEntry* ProcessTable::by_slot(std::uint32_t slot) const {
  return slot < slots_.size() ? slots_[slot].get() : nullptr;
}

ProcessEntry* ProcessTable::by_pid(std::uint32_t outer_pid) const {
  const auto found = by_pid_.find(outer_pid);
  return outer_pid == 0 || found == by_pid_.end() ? nullptr : found->second;
}

std::vector<ProcessEntry*> ProcessTable::live() const {
  std::vector<ProcessEntry*> result;
  for (const std::unique_ptr<ProcessEntry>& entry : slots_) {
    if (entry != nullptr && entry->live) {
      result.push_back(entry.get());
    }
  }
  return result;
}

std::uint64_t ProcessTable::end_ticks(const ProcessEntry& entry, const ProcessEnd& end) const {
  const format::ProcessSlot& process = arena_.process(entry.slot);
  const std::uint64_t start_ticks = entry.record.start_ticks;
  const bool said = process.exit_known.load(std::memory_order_acquire) != 0;
  const std::uint64_t said_ticks = peek(process.exit_ticks);
  if (said && said_ticks >= start_ticks && said_ticks < end.ticks) {
    return said_ticks;
  }
  return std::max(end.ticks, start_ticks);
}

void ProcessTable::end(ProcessEntry& entry, const ProcessEnd& end) {
  const format::ProcessSlot& process = arena_.process(entry.slot);
  format::ProcessRecord& record = entry.record;
  record.exit = end.kind;
  record.exit_value = end.value;
  record.end_ticks = end_ticks(entry, end);
  if (end.kind == format::ExitKind::kUnknown &&
      process.exit_known.load(std::memory_order_acquire) != 0) {
    record.exit = format::ExitKind::kExited;
    record.exit_value = peek(process.exit_status) & 0xffU;
  }
  recording_.add(record);
  entry.live = false;
  live_count_ -= 1;
  if (const auto found = by_pid_.find(entry.outer_pid);
      found != by_pid_.end() && found->second == &entry) {
    by_pid_.erase(found);
  }
  ended_slots_.emplace_back(end.ticks, entry.slot);
}

void ProcessTable::free_old_slots(std::uint64_t now_ticks, std::uint64_t keep_ticks) {
  const bool short_of_slots = arena_.processes_used() >= arena_.geometry().process_count / 2;
  while (!ended_slots_.empty() &&
         (short_of_slots || now_ticks - ended_slots_.front().first > keep_ticks)) {
    const std::uint32_t slot = ended_slots_.front().second;
    ended_slots_.pop_front();
    slots_[slot].reset();
    arena_.free_process(slot);
  }
}

void ProcessTable::remember_end(std::uint32_t outer_pid, const ProcessEnd& end) {
  if (early_ends_.size() >= kRememberedEnds) {
    early_ends_.clear();
  }
  early_ends_[outer_pid] = end;
}

std::optional<ProcessEnd> ProcessTable::take_remembered_end(std::uint32_t outer_pid) {
  const auto found = early_ends_.find(outer_pid);
  if (found == early_ends_.end()) {
    return std::nullopt;
  }
  const ProcessEnd end = found->second;
  early_ends_.erase(found);
  return end;
}

}  // namespace spyglass::collector
