// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/timer_sampler.h"

#include <ucontext.h>

#include <atomic>
#include <bit>
#include <cstdint>
#include <ctime>

#include "recorder/runtime/call_on_stack.h"
#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/fatal_signal.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"
#include "recorder/runtime/unwind_area.h"
#include "recorder/runtime/unwind_rules.h"

namespace spyglass::runtime {
namespace {

using format::Lane;

std::atomic<bool> g_enabled;

struct ThreadSampling {
  std::int32_t timer;  // the kernel's number + 1; 0: none
  std::uint32_t owed;  // periods whose samples could not be taken: the next one stands for them
  bool held;
  bool slow;    // the last sample took long, perhaps only because others had the CPU meanwhile
  bool paused;  // the timer was told to leave time to the program
};
__thread ThreadSampling t_sampling;

// As the kernel lays it out (sigevent).
struct TimerEvent {
  const void* value;
  int signal;
  int notify;
  int thread;
  int unused[11];
};
static_assert(sizeof(TimerEvent) == 64);

// Where samples take more CPU time than half a period (the program is stepped through by a
// debugger, or emulated), the program would hardly get on between two of them.
constexpr std::uint64_t kTooLongPart = 2;
constexpr std::uint64_t kPauseFactor = 8;
constexpr std::uint64_t kLongestPauseNs = 1'000'000'000;

timespec timespec_of(std::uint64_t ns) {
  return {static_cast<std::time_t>(ns / 1'000'000'000U), static_cast<long>(ns % 1'000'000'000U)};
}

// The next signal comes after the program has had this much longer than the sample took. What falls
// into the pause is owed.
void pause_after(std::uint64_t sample_cpu_ns) {
  const std::uint64_t interval_ns = g_session.arena->options.sample_interval_ns;
  const std::uint64_t wanted = 1 + kPauseFactor * sample_cpu_ns / interval_ns;
  const std::uint64_t most = 1 + kLongestPauseNs / interval_ns;
  const std::uint64_t periods = wanted < most ? wanted : most;
  const itimerspec times = {timespec_of(interval_ns), timespec_of(periods * interval_ns)};
  if (t_sampling.timer != 0 &&
      kernel(SYS_timer_settime, t_sampling.timer - 1, 0, &times, nullptr) == 0) {
    t_sampling.owed += static_cast<std::uint32_t>(periods - 1);
    t_sampling.paused = true;
  }
}

struct SampleStart {
  std::uint64_t ticks;
  std::uint64_t cpu_ns;  // 0: not asked for, as that is a system call
};

SampleStart start_of_sample() { return {ticks(), t_sampling.slow ? thread_cpu_ns() : 0}; }

void pause_if_slow(const SampleStart& start) {
  const std::uint64_t interval_ns = g_session.arena->options.sample_interval_ns;
  const std::uint64_t interval_ticks = interval_ns * (g_session.ticks_per_ns_q32 >> 16U) >> 16U;
  t_sampling.slow = ticks() - start.ticks >= interval_ticks / kTooLongPart;
  if (!t_sampling.slow || start.cpu_ns == 0) {
    return;
  }
  const std::uint64_t took_ns = thread_cpu_ns() - start.cpu_ns;
  if (took_ns >= interval_ns / kTooLongPart) {
    pause_after(took_ns);
  }
}

// Whether a signal comes from before the pause that is still going on.
bool comes_in_pause() {
  itimerspec left = {};
  if (!t_sampling.paused || kernel(SYS_timer_gettime, t_sampling.timer - 1, &left) != 0) {
    return false;
  }
  const auto left_ns = static_cast<std::uint64_t>(left.it_value.tv_sec) * 1'000'000'000U +
                       static_cast<std::uint64_t>(left.it_value.tv_nsec);
  return left_ns > g_session.arena->options.sample_interval_ns;
}

// Samples in our own code are not the caller's: any function of ours stands for all.
format::Node* node_of_recording(Lane* lane, format::Node* context) {
  const auto own = reinterpret_cast<std::uint64_t>(&take_sample);
  format::Node* node = find_tagged(lane, context, format::kPcTag | own);
  return node != nullptr ? node : context;
}

std::uint64_t sampling_bit() { return std::uint64_t{1} << (kSamplingSignal - 1U); }

struct Sample {
  Lane* lane;
  const ucontext_t* interrupted;
  std::uint32_t periods;
};

void record_sample(void* taken) {
  auto [lane, interrupted, periods] = *static_cast<const Sample*>(taken);
  const SampleStart start = start_of_sample();
  const bool in_pause = comes_in_pause();
  if (!in_pause) {
    periods += t_sampling.owed;
    t_sampling.owed = 0;
    t_sampling.paused = false;
  }
  const StackPoint point = interrupted_point(*interrupted);
  format::Node* node = calling_context(lane, point);
  if (is_own_code(std::bit_cast<unwind::Rule>(
          rule_word_at(point.pc, g_rule_epoch.load(std::memory_order_relaxed))))) {
    node = node_of_recording(lane, node);
  }
  node->samples += periods;
  EventParts event = {};
  event.kind = static_cast<std::uint32_t>(format::EventKind::kSample);
  event.node_cell = cell_of(lane, node);
  event.start_ticks = start.ticks;
  event.value = periods;
  push_event(lane, event, false);
  if (!in_pause) {
    pause_if_slow(start);
  }
}

}  // namespace

bool samples_by_timer() {
  return g_session.state.load(std::memory_order_acquire) == SessionState::kOn &&
         g_session.arena->options.sampler == format::SamplerKind::kTimer &&
         g_session.arena->options.sample_interval_ns != 0;
}

void enable_sampling() {
  g_enabled.store(true, std::memory_order_release);
  if (t_thread.lane == nullptr) {
    ready_lane();  // arms the timer
  } else {
    start_thread_sampling();
  }
}

void start_thread_sampling() {
  if (!g_enabled.load(std::memory_order_acquire)) {
    return;
  }
  t_sampling.timer = 0;  // of the parent, in a forked child
  t_sampling.owed = 0;
  t_sampling.slow = false;
  t_sampling.paused = false;
  constexpr int kToThread = 4;  // SIGEV_THREAD_ID
  const TimerEvent event = {
      &g_enabled, kSamplingSignal, kToThread, static_cast<int>(kernel(SYS_gettid)), {}};
  std::int32_t timer = 0;
  if (kernel(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) {
    note_unseen(format::kUnseenUntimedThreads);
    return;
  }
  t_sampling.timer = timer + 1;
  const timespec period = timespec_of(g_session.arena->options.sample_interval_ns);
  const itimerspec times = {period, period};
  kernel(SYS_timer_settime, timer, 0, &times, nullptr);
}

void stop_thread_sampling() {
  if (t_sampling.timer != 0) {
    kernel(SYS_timer_delete, t_sampling.timer - 1);
    t_sampling.timer = 0;
  }
}

void hold_sampling() {
  if (!g_enabled.load(std::memory_order_relaxed)) {
    return;
  }
  const std::uint64_t bit = sampling_bit();
  std::uint64_t before = 0;
  kernel(SYS_rt_sigprocmask, SIG_BLOCK, &bit, &before, sizeof(bit));
  t_sampling.held = (before & bit) == 0;
}

void release_sampling() {
  if (t_sampling.held) {
    t_sampling.held = false;
    const std::uint64_t bit = sampling_bit();
    kernel(SYS_rt_sigprocmask, SIG_UNBLOCK, &bit, nullptr, sizeof(bit));
  }
}

bool take_sample(const siginfo_t& info, const void* context) {
  if (info.si_code != SI_TIMER || info.si_value.sival_ptr != &g_enabled) {
    return false;
  }
  // Until the other stack is reached.
  constexpr std::uint64_t kHandlerBytes = 512;
  const std::uint32_t periods = 1 + static_cast<std::uint32_t>(info.si_overrun);
  Lane* lane = t_thread.lane;
  // Before anything else: where recording stopped, the clock may be a fault.
  const bool records =
      lane != nullptr && g_fork_page.recording != 0 && has_room(context, kHandlerBytes);
  UnwindArea* area = records ? area_of(lane) : nullptr;
  if (area == nullptr) {
    t_sampling.owed += periods;
    return true;
  }
  Sample sample = {lane, static_cast<const ucontext_t*>(context), periods};
  spyglass_call_on_stack(area->sampling_stack + kSamplingStackBytes, record_sample, &sample);
  return true;
}

}  // namespace spyglass::runtime
