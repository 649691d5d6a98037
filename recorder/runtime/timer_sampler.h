// SPDX-License-Identifier: Apache-2.0
// timer_sampler.h - CPU samples taken in the target: a timer on each thread's CPU clock and a
// handler.
//
// The kernel looks at such timers at its tick (4 ms at CONFIG_HZ=250), so at 1 kHz a signal stands
// for several periods; each sample carries how many. Since Linux 5.11 the signal is sent when the
// thread goes back to its own code, so a system call is never interrupted by it (EINTR).
//
//   Where    target side; the handler is async-signal-safe and blocks all signals.
//   Threads  a thread's timer is made with its lane and deleted at its end.
//   Errors   no timer (RLIMIT_SIGPENDING): the thread goes unsampled.
#pragma once

#include <csignal>

namespace spyglass::runtime {

inline constexpr int kSamplingSignal = SIGPROF;

// Whether this session asks for it.
bool samples_by_timer();

// The handler stands: threads may arm their timers, the calling one does.
void enable_sampling();

// The calling thread's lane is ready; nothing happens unless enabled.
void start_thread_sampling();
void stop_thread_sampling();

// Around fork: the child has no timer, but the parent's signal mask.
void hold_sampling();
void release_sampling();

// False: the signal came from somebody else.
bool take_sample(const siginfo_t& info, const void* context);

}  // namespace spyglass::runtime
