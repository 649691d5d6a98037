// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_intake.h"

#include <algorithm>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/elf_check.h"
#include "recorder/collector/proc_files.h"

namespace spyglass::collector {
namespace {

using format::LossKind;

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::size_t kManyEvents = 4096;  // of one thread

const char* loss_of(StackEnd end) {
  switch (end) {
    case StackEnd::kCopyTooShort:
      return "longer than the copy";
    case StackEnd::kNoRule:
      return "no unwinding rule";
    case StackEnd::kTooDeep:
      return "deeper than --max-stack";
    case StackEnd::kWhole:
      break;
  }
  return nullptr;
}

}  // namespace

SampleIntake::SampleIntake(SampleTasks& tasks, ProcessTable& processes, Recording& recording,
                           std::uint64_t ns_per_tick_q60, std::uint64_t interval_ns)
    : tasks_(tasks),
      processes_(processes),
      recording_(recording),
      ns_per_tick_q60_(ns_per_tick_q60),
      interval_ns_(interval_ns) {
  tasks_.expect_records();
}

std::uint64_t SampleIntake::ticks_of(std::uint64_t time_ns) const {
  if (time_ns >= now_.monotonic_ns) {
    return now_.ticks;
  }
  const std::uint64_t ago = ticks_of_ns(now_.monotonic_ns - time_ns, ns_per_tick_q60_);
  return now_.ticks - std::min(ago, now_.ticks);
}

void SampleIntake::take(SampleBatch batch, const format::ClockSample& now) {
  now_ = now;
  until_ticks_ = ticks_of(batch.until_ns);
  for (const SampledImage& image : batch.images) {
    modules_[image.index] = recording_.nodes().module(image.path, image.build_id);
  }
  add_nodes(batch);
  for (const TaskEvent& event : batch.tasks) {
    apply(event);
  }
  for (TakenSample& sample : batch.samples) {
    sample.time_ns = ticks_of(sample.time_ns);
    waiting_.push_back(sample);
  }
  std::erase_if(waiting_, [&](const TakenSample& sample) { return place_sample(sample, false); });
  write_threads();
  // Not at once: the process table may yet find out about a child that is gone already.
  end_images(until_ticks_ - std::min(until_ticks_, ticks_of_ns(kSecondNs, ns_per_tick_q60_)));
  LossLedger& losses = recording_.losses();
  losses.add(LossKind::kSamples, 0, "kernel's ring full", batch.lost_records);
  losses.add(LossKind::kSamples, 0, "kernel paused sampling", batch.throttled);
}

void SampleIntake::add_nodes(const SampleBatch& batch) {
  NodeInterner& interner = recording_.nodes();
  for (const SampledNode& node : batch.nodes) {
    const std::uint32_t parent = nodes_[std::min<std::size_t>(node.parent, nodes_.size() - 1)];
    std::uint32_t site = 0;
    if (node.frame.image == kTruncatedImage) {
      site = interner.site(0, format::kTruncatedSiteOffset);
    } else {
      const auto module = modules_.find(node.frame.image);
      site = interner.site(module == modules_.end() ? 0 : module->second,
                           (node.frame.offset & ~format::kPcSite) | format::kPcSite);
    }
    nodes_.push_back(interner.node(parent, site));
  }
}

void SampleIntake::apply(const TaskEvent& event) {
  const std::uint64_t ticks = ticks_of(event.time_ns);
  switch (event.change) {
    case TaskChange::kFork:
      tasks_.forked(event.pid, event.parent_pid, ticks);
      break;
    case TaskChange::kExec:
      names_.erase(event.tid);
      tasks_.execed(event.pid, ticks, event.text);
      break;
    case TaskChange::kName:
      names_[event.tid] = event.text;
      break;
    case TaskChange::kExit:
      end_thread(event);
      names_.erase(event.tid);
      break;
    case TaskChange::kEnd:
      tasks_.exited(event.pid, ticks);
      break;
    case TaskChange::kExecutable:
    case TaskChange::kLibrary:
      apply_to_image(event);
      break;
  }
}

void SampleIntake::apply_to_image(const TaskEvent& event) {
  TaskImage* image = tasks_.newest(event.pid);
  if (image == nullptr) {
    return;
  }
  if (event.change == TaskChange::kLibrary) {
    image->has_library = true;
    return;
  }
  image->executable = event.text;
}

TaskImage* SampleIntake::image_of(const TakenSample& sample, std::uint64_t ticks) {
  TaskImage* image = tasks_.image_at(sample.pid, ticks);
  if (image == nullptr && tasks_.newest(sample.pid) == nullptr) {
    tasks_.seen(sample.pid, ticks);
  }
  return image != nullptr ? image : tasks_.newest(sample.pid);
}

// `sample.time_ns` is in ticks here. False: the program may still say what process it is.
bool SampleIntake::place_sample(const TakenSample& sample, bool last) {
  const std::uint64_t ticks = sample.time_ns;
  TaskImage& image = *image_of(sample, ticks);
  tasks_.resolve(image, until_ticks_);
  if (image.process == 0) {
    const bool may_join =
        image.end_ticks == kOpenEnd && now_.ticks - std::min(now_.ticks, image.start_ticks) <
                                           ticks_of_ns(kSecondNs, ns_per_tick_q60_);
    if (may_join && !last) {
      return false;
    }
    add_process(image);
  }
  bool added = false;
  const auto exit = exits_.find(sample.tid);
  const std::uint64_t exit_ticks = exit == exits_.end() ? 0 : exit->second;
  TaskThread& thread = tasks_.thread_at(image.process, sample.tid, ticks, exit_ticks, added);
  if (added) {
    begin_thread(thread, image, sample.tid, ticks);
    if (exit_ticks >= ticks) {
      tasks_.end_thread(image.process, sample.tid, exit_ticks);
      complete_thread(thread, exit_ticks);
    }
  }
  if (!thread.has_lane) {
    thread.record.cpu_ns += interval_ns_;
    changed_[thread.id] = thread.record;
  }
  const std::uint32_t node = nodes_[std::min<std::size_t>(sample.node, nodes_.size() - 1)];
  recording_.add(format::MetricRow{thread.id, node, format::Metric::kSamples, 1});
  format::EventRecord event;
  event.start_ticks = std::min(ticks, thread.exit_ticks);
  event.kind = format::EventKind::kSample;
  event.node = node;
  event.value = 1;
  std::vector<format::EventRecord>& events = events_[thread.id];
  events.push_back(event);
  if (events.size() >= kManyEvents) {
    recording_.write_events(thread.id, events);
    events.clear();
  }
  if (const char* reason = loss_of(sample.end)) {
    recording_.losses().add(LossKind::kTruncatedStacks, thread.id, reason, 1);
  }
  if (sample.shortened) {
    recording_.losses().add(LossKind::kShortenedStacks, thread.id, "the tree of samples is full",
                            1);
  }
  samples_ += 1;
  return true;
}

void SampleIntake::add_process(TaskImage& image) {
  image.process = tasks_.new_process_id();
  format::ProcessRecord record;
  record.id = image.process;
  record.pid = image.pid;
  record.ppid = image.parent_pid;
  if (TaskImage* parent = tasks_.newest(image.parent_pid)) {
    tasks_.resolve(*parent, until_ticks_);
    record.parent = parent->process;
  }
  if (image.end_ticks == kOpenEnd) {
    record.command = read_command(image.pid);
  }
  if (record.command.empty()) {
    record.command = {image.executable.empty() ? image.name : image.executable};
  }
  record.executable = image.executable;
  record.start_ticks = image.start_ticks;
  record.forked = !image.execed;
  recording_.add(record);
  own_[record.id].record = std::move(record);
}

void SampleIntake::begin_thread(TaskThread& thread, const TaskImage& image, std::uint32_t tid,
                                std::uint64_t ticks) {
  thread.record.id = thread.id;
  thread.record.process = image.process;
  thread.record.tid = tid;
  const auto name = names_.find(tid);
  thread.record.name = name != names_.end() ? name->second : image.name;
  // The first sample stands for the time before it.
  const std::uint64_t interval_ticks = ticks_of_ns(interval_ns_, ns_per_tick_q60_);
  thread.record.birth_ticks = std::max(image.start_ticks, ticks - std::min(ticks, interval_ticks));
  thread.record.cpu_accuracy = format::CpuAccuracy::kApproximate;
}

void SampleIntake::end_thread(const TaskEvent& event) {
  const std::uint64_t ticks = ticks_of(event.time_ns);
  exits_[event.tid] = ticks;
  TaskImage* image = tasks_.newest(event.pid);
  if (image == nullptr) {
    return;
  }
  tasks_.resolve(*image, until_ticks_);
  if (image->process != 0) {
    if (TaskThread* thread = tasks_.end_thread(image->process, event.tid, ticks)) {
      complete_thread(*thread, ticks);
    }
  }
}

void SampleIntake::complete_thread(TaskThread& thread, std::uint64_t exit_ticks) {
  thread.record.exit_ticks = std::max(exit_ticks, thread.record.birth_ticks);
  changed_[thread.id] = thread.record;
}

void SampleIntake::write_threads() {
  for (auto& [id, record] : std::exchange(changed_, {})) {
    // A sample stands for a whole interval, though the thread may have run for less.
    if (record.exit_ticks != 0) {
      const std::uint64_t wall_ticks = record.exit_ticks - record.birth_ticks;
      record.cpu_ns = std::min(record.cpu_ns, ns_of_ticks(wall_ticks, ns_per_tick_q60_));
    }
    recording_.add(record);
  }
}

void SampleIntake::end_images(std::uint64_t until_ticks) {
  for (TaskImage& image : tasks_.take_ended(until_ticks)) {
    tasks_.resolve(image, until_ticks_);
    if (image.end_ticks != kOpenEnd) {
      end_process(image);
    }
    explain(image);
  }
}

void SampleIntake::end_process(const TaskImage& image) {
  const auto own = own_.find(image.process);
  if (own == own_.end()) {
    return;
  }
  if (image.joined) {
    own_.erase(own);  // the process table tells of it
    return;
  }
  format::ProcessRecord& record = own->second.record;
  record.end_ticks = image.end_ticks;
  own->second.end_seen_ticks = now_.ticks;
  if (image.ended_by_exec) {
    record.exit = format::ExitKind::kExeced;
    recording_.add(record);
    own_.erase(own);
  } else {
    ended_.push_back(record.id);
  }
}

// Why the library did not get in.
void SampleIntake::explain(const TaskImage& image) {
  if (!image.execed || image.joined || image.first || image.executable.empty()) {
    return;
  }
  std::string reason = why_unrecordable(check_program(image.executable));
  if (reason.empty()) {
    reason = image.has_library ? "ended before it joined the session"
                               : "did not load libspyglass.so: its environment was dropped";
  }
  coverage_.push_back({image.executable, reason});
}

// The status of a process is told by another thread than its end.
void SampleIntake::settle_ends(std::uint64_t now_ticks, bool all) {
  std::erase_if(ended_, [&](std::uint32_t id) {
    OwnProcess& own = own_[id];
    const auto end = processes_.take_remembered_end(own.record.pid);
    const bool waited = now_ticks - own.end_seen_ticks > ticks_of_ns(kSecondNs, ns_per_tick_q60_);
    if (!end && !waited && !all) {
      return false;
    }
    own.record.exit = end ? end->kind : format::ExitKind::kUnknown;
    own.record.exit_value = end ? end->value : 0;
    recording_.add(own.record);
    own_.erase(id);
    return true;
  });
}

void SampleIntake::write_events() {
  for (auto& [thread, events] : events_) {
    recording_.write_events(thread, events);
  }
  events_.clear();
}

void SampleIntake::look_around(std::uint64_t now_ticks) {
  write_events();
  settle_ends(now_ticks, false);
  const std::uint64_t kept = std::min(until_ticks_, ticks_of_ns(2 * kSecondNs, ns_per_tick_q60_));
  const std::uint64_t before = until_ticks_ - kept;
  tasks_.forget_threads(before);
  std::erase_if(exits_, [&](const auto& exit) { return exit.second < before; });
}

void SampleIntake::finish(std::uint64_t now_ticks) {
  until_ticks_ = kOpenEnd;
  for (const TakenSample& sample : std::exchange(waiting_, {})) {
    place_sample(sample, true);
  }
  write_threads();
  end_images(kOpenEnd);
  settle_ends(now_ticks, true);
  write_events();
}

}  // namespace spyglass::collector
