// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/timer_sampler.h"

#include <ucontext.h>

#include <atomic>
#include <cstdint>
#include <ctime>

#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/fatal_signal.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

using format::Lane;

std::atomic<bool> g_enabled;

struct ThreadSampling {
  std::int32_t timer;  // the kernel's number + 1; 0: none
  std::uint32_t owed;  // periods whose samples could not be taken: the next one stands for them
  bool held;
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

std::uint64_t sampling_bit() { return std::uint64_t{1} << (kSamplingSignal - 1U); }

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
  constexpr int kToThread = 4;  // SIGEV_THREAD_ID
  const TimerEvent event = {
      &g_enabled, kSamplingSignal, kToThread, static_cast<int>(kernel(SYS_gettid)), {}};
  std::int32_t timer = 0;
  if (kernel(SYS_timer_create, CLOCK_THREAD_CPUTIME_ID, &event, &timer) != 0) {
    return;
  }
  t_sampling.timer = timer + 1;
  const std::uint64_t interval_ns = g_session.arena->options.sample_interval_ns;
  const timespec period = {static_cast<std::time_t>(interval_ns / 1'000'000'000U),
                           static_cast<long>(interval_ns % 1'000'000'000U)};
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
  const std::uint32_t periods = 1 + static_cast<std::uint32_t>(info.si_overrun) + t_sampling.owed;
  Lane* lane = t_thread.lane;
  if (lane == nullptr || g_fork_page.recording == 0 || !has_room(context)) {
    t_sampling.owed = periods;
    return true;
  }
  t_sampling.owed = 0;
  format::Node* node =
      calling_context(lane, interrupted_point(*static_cast<const ucontext_t*>(context)));
  node->samples += periods;
  EventParts event = {};
  event.kind = static_cast<std::uint32_t>(format::EventKind::kSample);
  event.node_cell = cell_of(lane, node);
  event.start_ticks = ticks();
  event.value = periods;
  push_event(lane, event, false);
  return true;
}

}  // namespace spyglass::runtime
