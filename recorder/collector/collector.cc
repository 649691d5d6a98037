// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/collector.h"

#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/embed_symbols.h"
#include "recorder/collector/proc_files.h"

namespace spyglass::collector {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;
constexpr std::uint64_t kManyRecords = 512;  // in one turn: the rings fill fast
constexpr unsigned kPatientTurns = 24;       // about 50 us
constexpr unsigned kPauses = 4;
// Long enough for a child of a process that is gone to say whose child it is.
constexpr std::uint64_t kSlotRestNs = 1'000'000'000;

bool exists(std::uint32_t pid) { return ::kill(static_cast<pid_t>(pid), 0) == 0 || errno != ESRCH; }

}  // namespace

Collector::Collector(const Arena& arena, ProcessWatch& watch, SgzWriter writer,
                     const CollectorOptions& options, const format::SessionInfo& session)
    : arena_(arena),
      watch_(watch),
      options_(options),
      session_(session),
      recording_(std::move(writer)),
      filter_(options.include, options.exclude),
      modules_(arena, recording_.nodes(), filter_),
      objects_(arena, recording_.nodes(), modules_),
      nodes_(arena, recording_.nodes(), modules_, objects_),
      drain_(arena, nodes_, recording_, options.on_full, session.start.ticks),
      budget_(arena, recording_.nodes(), options.max_overhead_percent, session.ns_per_tick_q60),
      snapshot_(arena, nodes_, recording_, budget_),
      processes_(arena, recording_, tasks_),
      lanes_(arena, processes_, nodes_, drain_, snapshot_, budget_, tasks_, recording_),
      interval_ticks_(ticks_of_ns(options.interval_ns, session.ns_per_tick_q60)),
      second_ticks_(ticks_of_ns(kSecondNs, session.ns_per_tick_q60)),
      snapshot_ticks_(session.start.ticks),
      look_ticks_(session.start.ticks) {
  recording_.write_session(session);
}

Collector::~Collector() {
  if (thread_.joinable()) {
    finish(true);
  }
}

void Collector::sample_with(std::unique_ptr<SampleReader> reader, std::uint64_t interval_ns) {
  sample_reader_ = std::move(reader);
  sample_intake_ = std::make_unique<SampleIntake>(tasks_, processes_, recording_,
                                                  session_.ns_per_tick_q60, interval_ns);
}

void Collector::start() {
  if (sample_reader_ != nullptr) {
    sample_reader_->start();
  }
  thread_ = std::thread([this] { run(); });
}

void Collector::post_image(NewImage image) {
  const std::lock_guard lock(mutex_);
  mail_.images.push_back(std::move(image));
  live_processes_ += 1;
}

void Collector::post_end(EndedProcess ended) {
  {
    const std::lock_guard lock(mutex_);
    mail_.ended.emplace_back(ended, now_ticks());
  }
  arena_.wake_collector();
}

Summary Collector::finish(bool interrupted) {
  {
    const std::lock_guard lock(mutex_);
    mail_.stop = true;
    interrupted_ = interrupted;
  }
  if (thread_.joinable()) {
    arena_.wake_collector();
    thread_.join();
  } else {
    while (turn()) {
    }
    close_session();
  }
  return summary_;
}

void Collector::run() {
  while (turn()) {
  }
  close_session();
}

// False once the session is to be closed.
bool Collector::turn() {
  doorbell_seen_ = arena_.header().doorbell.load();
  // Before the mail: who joined by the end of the batch has told it by now.
  std::optional<SampleBatch> batch =
      sample_reader_ != nullptr ? sample_reader_->receive() : std::nullopt;
  const bool stop = read_mail();
  take_in_processes();
  take_samples(std::move(batch));
  const std::uint64_t records = lanes_.pass();
  end_processes();
  snapshot_if_due();
  if (!stop) {
    wait(records);
  }
  return !stop;
}

void Collector::take_samples(std::optional<SampleBatch> batch) {
  if (batch) {
    sample_intake_->take(std::move(*batch), sample_clocks());
    coverage_.add(sample_intake_->take_coverage());
  }
}

// Rings that fill fast are looked at again at once: sleeping would cost the program a system call
// to wake us, and in block mode its time.
void Collector::wait(std::uint64_t records) {
  quiet_turns_ = records >= kManyRecords ? 0 : std::min(quiet_turns_ + 1, kPatientTurns);
  if (quiet_turns_ < kPatientTurns) {
    for (unsigned pause = 0; pause < quiet_turns_ * kPauses; ++pause) {
      __builtin_ia32_pause();
    }
    return;
  }
  const std::uint64_t now = now_ticks();
  const std::uint64_t due = snapshot_ticks_ + interval_ticks_;
  if (due > now) {
    arena_.wait_doorbell(doorbell_seen_,
                         std::min(ns_of_ticks(due - now, session_.ns_per_tick_q60), kSecondNs));
  }
}

bool Collector::read_mail() {
  Mail mail;
  {
    const std::lock_guard lock(mutex_);
    std::swap(mail, mail_);
    mail_.stop = mail.stop;
  }
  for (const NewImage& image : mail.images) {
    // A child that was forked and then executed a program claimed its slot before it shook hands.
    take_in_forked(ProcessTable::Orphans::kLater, image.outer_pid);
    // The image before it in the same process ended with its exec.
    ProcessEntry* before = processes_.add_image(image);
    if (before != nullptr) {
      before->exec_cpu_ns = image.cpu_ns;
    }
    note_due_end(before, {format::ExitKind::kExeced, 0, image.ticks});
  }
  for (const auto& [ended, ticks] : mail.ended) {
    const ProcessEnd end = end_from_wait_status(ended.wait_status, ticks);
    if (ProcessEntry* entry = processes_.by_pid(ended.pid)) {
      note_due_end(entry, end);
    } else {
      processes_.remember_end(ended.pid, end);
    }
  }
  return mail.stop;
}

void Collector::note_due_end(ProcessEntry* entry, const ProcessEnd& end) {
  if (entry != nullptr) {
    due_ends_.emplace_back(entry, end);
  }
}

void Collector::watch(ProcessEntry& entry) {
  const std::uint64_t now = now_ticks();
  const auto verdict =
      entry.outer_pid == 0 ? ProcessWatch::Verdict::kGone : watch_.watch(entry.outer_pid);
  if (verdict == ProcessWatch::Verdict::kCannotWatch) {
    unwatched_.push_back(&entry);
  } else if (verdict == ProcessWatch::Verdict::kGone) {
    const std::optional<ProcessEnd> end = processes_.take_remembered_end(entry.outer_pid);
    note_due_end(&entry, end.value_or(ProcessEnd{format::ExitKind::kUnknown, 0, now}));
  }
}

void Collector::take_in_forked(ProcessTable::Orphans orphans, std::uint32_t execed_pid) {
  for (ProcessEntry* entry : processes_.find_forked(orphans, execed_pid)) {
    live_processes_ += 1;
    if (execed_pid == 0 || entry->outer_pid != execed_pid) {
      watch(*entry);
    }
  }
}

void Collector::take_in_processes() {
  take_in_forked(ProcessTable::Orphans::kNow, 0);
  if (filter_.active()) {
    for (const ProcessEntry* entry : processes_.live()) {
      const auto newest = arena_.process(entry->slot).newest_module.load(std::memory_order_acquire);
      modules_.answer_filters(newest, entry->executable);
    }
  }
}

void Collector::poll_unwatched(std::uint64_t now_ticks) {
  std::erase_if(unwatched_, [&](ProcessEntry* entry) {
    if (!entry->live || exists(entry->outer_pid)) {
      return !entry->live;
    }
    note_due_end(entry, {format::ExitKind::kUnknown, 0, now_ticks});
    return true;
  });
}

// The processes in question ended before the pass over the lanes began, so all their lanes are
// known.
void Collector::end_processes() {
  for (const auto& [entry, end] : std::exchange(due_ends_, {})) {
    if (entry->live) {
      note_unseen(*entry);
      lanes_.close_process(*entry, processes_.end_ticks(*entry, end));
      note_crash(*entry, end);
      processes_.end(*entry, end);
      live_processes_ -= 1;
    }
  }
}

void Collector::snapshot_if_due() {
  const std::uint64_t now = now_ticks();
  if (now - snapshot_ticks_ >= interval_ticks_) {
    lanes_.snapshot(now, now - snapshot_ticks_);
    note_resident(now);
    snapshot_ticks_ = now;
    recording_.flush(now, true);
  } else if (recording_.waiting_records() > 16384) {
    recording_.flush(now, false);
  }
  if (now - look_ticks_ >= second_ticks_) {
    look_ticks_ = now;
    lanes_.look_around(now);
    if (sample_intake_ != nullptr) {
      sample_intake_->look_around(now);
    }
    poll_unwatched(now);
    processes_.free_old_slots(now, ticks_of_ns(kSlotRestNs, session_.ns_per_tick_q60));
    count_session_losses();
    recording_.flush(now, false);
    recording_.losses().write_changed(recording_.writer());
  }
}

void Collector::note_unseen(const ProcessEntry& entry) {
  const format::ProcessSlot& process = arena_.process(entry.slot);
  if (options_.memory.mode != format::MemoryMode::kOff) {
    coverage_.add_allocator(entry.executable, peek(process.allocator));
  }
  coverage_.add_unseen(entry.executable, peek(process.unseen));
  if (process.state.load(std::memory_order_acquire) == format::ProcessState::kClaimed) {
    coverage_.add(entry.executable,
                  "had no descriptor or memory left to be recorded, or ended at once");
  }
}

// Its lanes have been drained.
void Collector::note_crash(const ProcessEntry& entry, const ProcessEnd& end) {
  const auto signals = static_cast<unsigned>(format::OperationClass::kSignal);
  if ((arena_.header().options.operations >> signals & 1U) != 0 && !entry.crash_recorded &&
      end.kind == format::ExitKind::kSignaled) {
    coverage_.add_unseen_crash(entry.executable, static_cast<int>(end.value));
  }
}

// Of many processes some at a time: each costs a few system calls.
void Collector::note_resident(std::uint64_t now_ticks) {
  constexpr std::size_t kAtATime = 32;
  if (options_.memory.mode == format::MemoryMode::kOff) {
    return;
  }
  const std::vector<ProcessEntry*> live = processes_.live();
  for (std::size_t i = 0; i < std::min(live.size(), kAtATime); ++i) {
    const ProcessEntry& entry = *live[resident_turn_++ % live.size()];
    if (const std::optional<std::uint64_t> bytes = read_resident_bytes(entry.outer_pid)) {
      recording_.add(format::ResidentRecord{entry.record.id, now_ticks, *bytes});
    }
  }
}

void Collector::count_session_losses() {
  using format::LossKind;
  const format::ArenaHeader& header = arena_.header();
  LossLedger& losses = recording_.losses();
  losses.set(LossKind::kCalls, 0, "no lane free", peek(header.calls_without_lane));
  losses.set(LossKind::kThreads, 0, "no lane free", peek(header.threads_without_lane));
  losses.set(LossKind::kModules, 0, "session heap full", peek(header.modules_lost));
}

// Some may have ended without our hearing of it.
void Collector::end_dead_processes() {
  const std::uint64_t now = now_ticks();
  for (ProcessEntry* entry : processes_.live()) {
    if (entry->outer_pid == 0 || !exists(entry->outer_pid)) {
      note_due_end(entry, processes_.take_remembered_end(entry->outer_pid)
                              .value_or(ProcessEnd{format::ExitKind::kUnknown, 0, now}));
    }
  }
  lanes_.pass();
  end_processes();
}

void Collector::finish_samples() {
  if (sample_reader_ != nullptr) {
    sample_reader_->stop();
    take_samples(sample_reader_->receive());
    sample_intake_->finish(now_ticks());
    coverage_.add(sample_intake_->take_coverage());
  }
}

void Collector::note_cxx_runtimes() {
  const auto exceptions = static_cast<unsigned>(format::OperationClass::kException);
  if ((arena_.header().options.operations >> exceptions & 1U) != 0) {
    coverage_.add_cxx_runtimes(recording_.nodes().modules());
  }
}

void Collector::close_session() {
  take_in_processes();
  end_dead_processes();
  const format::ClockSample end = sample_clocks();
  finish_samples();
  for (const ProcessEntry* entry : processes_.live()) {
    note_unseen(*entry);
  }
  lanes_.finish(end.ticks);
  note_cxx_runtimes();
  count_session_losses();
  recording_.flush(end.ticks, true);

  format::EndInfo info;
  info.end = end;
  info.interrupted = interrupted_;
  info.demoted = budget_.demoted();
  const NodeInterner& nodes = recording_.nodes();
  const FoundSymbols found = find_symbols(nodes.modules(), nodes.sites());
  coverage_.add_missing_maps(found.missing_maps);
  info.coverage = coverage_.all();
  recording_.losses().add(format::LossKind::kSymbols, 0, "looking names up took too long",
                          found.not_looked_up);
  summary_.complete = recording_.finish(found.symbols, info);
  summary_.blind_spots = info.coverage.size();
  sum_up();
}

void Collector::sum_up() {
  using format::LossKind;
  const LossLedger& losses = recording_.losses();
  summary_.calls = recording_.calls_written();
  summary_.samples = recording_.samples();
  summary_.allocations = recording_.allocations();
  summary_.spans = recording_.spans_written();
  summary_.threads = tasks_.thread_count();
  summary_.processes = tasks_.process_count();
  summary_.spans_lost = losses.total(LossKind::kSpans);
  summary_.calls_lost = losses.total(LossKind::kCalls);
  summary_.allocations_lost = losses.total(LossKind::kAllocations);
  summary_.samples_lost = losses.total(LossKind::kSamples);
  summary_.events_lost = losses.total(LossKind::kEvents);
  summary_.stacks_shortened = losses.total(LossKind::kShortenedStacks);
  summary_.other_losses = losses.total(LossKind::kThreads) + losses.total(LossKind::kProcesses) +
                          losses.total(LossKind::kModules);
  summary_.path = recording_.writer().path();
  summary_.file_bytes = recording_.writer().bytes();
  summary_.failure = recording_.writer().failure();
}

}  // namespace spyglass::collector
