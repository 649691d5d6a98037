// SPDX-License-Identifier: Apache-2.0
#include "preload/signals.h"

#include <ucontext.h>

#include <atomic>
#include <cstdint>

#include "preload/hook.h"
#include "preload/real.h"
#include "recorder/runtime/fatal_signal.h"
#include "recorder/runtime/operation.h"
#include "recorder/runtime/syscalls.h"
#include "recorder/runtime/timer_sampler.h"

namespace {

using Action = struct sigaction;
using Handler = void (*)(int, siginfo_t*, void*);

namespace real = spyglass::real;
namespace runtime = spyglass::runtime;

constexpr int kSignals = 32;  // the classic ones

// What the program set where our handler stands.
Action g_program[kSignals];
// The sampling signal's, for our handler: it may run while the program sets another.
Action g_forward[2];
std::atomic<unsigned> g_forward_now;
bool g_records_fatal;
bool g_sampling;

// Bit n - 1: the program itself lets its handler of signal n block the sampling signal.
std::atomic<std::uint64_t> g_blocked_by_program;

// Blocked by the thread as far as the program knows, though it is not: samples go on.
__thread bool t_blocks_sampling;

bool is_fatal(int number) {
  for (const int fatal : runtime::kFatalSignals) {
    if (fatal == number) {
      return true;
    }
  }
  return false;
}

// libc's sets, whose first word is all that the kernel knows.
unsigned long& bits_of(sigset_t& set) { return set.__val[0]; }
unsigned long bits_of(const sigset_t& set) { return set.__val[0]; }
constexpr std::uint64_t bit_of(int number) {
  return std::uint64_t{1} << (static_cast<unsigned>(number) - 1U);
}

bool is_default(const Action& action) { return action.sa_handler == SIG_DFL; }

void on_sampling_signal(int number, siginfo_t* info, void* context);

// The handler that we put in place of `number`'s default action; null: none.
Handler handler_of(int number) {
  if (g_sampling && number == runtime::kSamplingSignal) {
    return on_sampling_signal;
  }
  return g_records_fatal && is_fatal(number) ? runtime::on_fatal_signal : nullptr;
}

bool is_ours(const Action& action, Handler ours) { return action.sa_sigaction == ours; }

Action our_action(int number) {
  Action action = {};
  action.sa_sigaction = handler_of(number);
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  if (number == runtime::kSamplingSignal) {
    // Nothing may come between and jump away.
    bits_of(action.sa_mask) = ~0UL;
    if ((g_program[number].sa_flags & SA_RESTART) == 0 && !is_default(g_program[number])) {
      action.sa_flags &= ~SA_RESTART;
    }
  } else {
    action.sa_flags |= SA_RESETHAND;
  }
  return action;
}

void set_forward(const Action& action) {
  const unsigned next = 1 - g_forward_now.load(std::memory_order_relaxed);
  g_forward[next] = action;
  g_forward_now.store(next, std::memory_order_release);
}

// The kernel has what the program wanted: takes the place of that if it is ours to take.
void take_place(int number) {
  Action current = {};
  const Handler ours = handler_of(number);
  if (ours == nullptr || real::libc_sigaction(number, nullptr, &current) != 0 ||
      is_ours(current, ours)) {
    return;
  }
  if (is_default(current) || number == runtime::kSamplingSignal) {
    g_program[number] = current;
    if (number == runtime::kSamplingSignal) {
      set_forward(current);
    }
    const Action action = our_action(number);
    real::libc_sigaction(number, &action, nullptr);
  }
}

// A sampling signal that our timer did not send: as the program wants it.
void forward(int number, siginfo_t* info, void* context) {
  const Action action = g_forward[g_forward_now.load(std::memory_order_acquire)];
  if (action.sa_handler == SIG_IGN) {
    return;
  }
  if (is_default(action)) {
    const Action fallback = {};
    real::sigaction(number, &fallback, nullptr);
    runtime::send_again(number, info);
    return;
  }
  if ((action.sa_flags & static_cast<int>(SA_RESETHAND)) != 0) {
    set_forward({});
  }
  // It runs under the mask that it would have: the interrupted code's, its own and itself.
  std::uint64_t mask =
      bits_of(static_cast<ucontext_t*>(context)->uc_sigmask) | bits_of(action.sa_mask);
  if ((action.sa_flags & SA_NODEFER) == 0) {
    mask |= bit_of(number);
  }
  runtime::kernel(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, sizeof(mask));
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(number, info, context);
  } else {
    action.sa_handler(number);
  }
}

void on_sampling_signal(int number, siginfo_t* info, void* context) {
  if (!runtime::take_sample(*info, context)) {
    forward(number, info, context);
  }
}

// Handlers on an alternate stack are not interrupted by samples: there is room on it for what the
// program knows of, not for more.
int set_own_action(int number, const Action* action, Action* old) {
  if (!g_sampling || number < 1 || number > 64) {
    return real::sigaction(number, action, old);
  }
  const std::uint64_t sampling = bit_of(runtime::kSamplingSignal);
  const bool was_blocked = (g_blocked_by_program.load() & bit_of(number)) != 0;
  Action changed;
  bool blocks = was_blocked;
  if (action != nullptr) {
    changed = *action;
    blocks = (bits_of(changed.sa_mask) & sampling) != 0;
    if ((changed.sa_flags & SA_ONSTACK) != 0) {
      bits_of(changed.sa_mask) |= sampling;
    }
  }
  const int result = real::sigaction(number, action != nullptr ? &changed : nullptr, old);
  if (result != 0) {
    return result;
  }
  if (blocks != was_blocked && runtime::in_own_process()) {
    g_blocked_by_program.fetch_xor(bit_of(number));
  }
  if (old != nullptr && !was_blocked) {
    bits_of(old->sa_mask) &= ~sampling;
  }
  return 0;
}

// As the program would see it.
int set_action(int number, const Action* action, Action* old) {
  const Handler ours = number > 0 && number < kSignals ? handler_of(number) : nullptr;
  if (ours == nullptr || !runtime::in_own_process()) {
    const int result = set_own_action(number, action, old);
    if (result == 0 && old != nullptr && ours != nullptr && is_ours(*old, ours)) {
      *old = g_program[number];
    }
    return result;
  }
  const Action program = g_program[number];
  Action seen = {};
  const int result = set_own_action(number, action, &seen);
  if (result != 0) {
    return result;
  }
  if (action != nullptr) {
    take_place(number);
  }
  if (old != nullptr) {
    *old = is_ours(seen, ours) ? program : seen;
  }
  return 0;
}

// signal() and its old relatives, where our handler may be concerned.
sighandler_t set_handler(int number, sighandler_t handler, int flags) {
  Action action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  if ((flags & SA_NODEFER) == 0) {
    bits_of(action.sa_mask) |= bit_of(number);
  }
  Action old = {};
  return set_action(number, &action, &old) == 0 ? old.sa_handler : SIG_ERR;
}

bool concerns_us(int number) {
  real::make_ready();
  return number > 0 && number < kSignals && handler_of(number) != nullptr;
}

// The sampling signal stays open, unless the program uses it: blocked threads are sampled too, and
// none is pending for sigsuspend() or sigwait() to find.
bool keeps_sampling_open() {
  return g_sampling && (is_default(g_program[runtime::kSamplingSignal]) ||
                        g_program[runtime::kSamplingSignal].sa_handler == SIG_IGN);
}

template <typename Real>
int set_mask(Real set, int how, const sigset_t* wanted, sigset_t* old) {
  if (!keeps_sampling_open() || !runtime::in_own_process()) {
    return set(how, wanted, old);
  }
  const bool blocked = t_blocks_sampling;
  bool blocks = blocked;
  sigset_t kept;
  if (wanted != nullptr) {
    kept = *wanted;
    const bool named = (bits_of(kept) & bit_of(runtime::kSamplingSignal)) != 0;
    blocks = how == SIG_SETMASK ? named : named ? how == SIG_BLOCK : blocked;
    if (how != SIG_UNBLOCK) {
      bits_of(kept) &= ~bit_of(runtime::kSamplingSignal);
    }
  }
  const int result = set(how, wanted != nullptr ? &kept : nullptr, old);
  if (result == 0) {
    t_blocks_sampling = blocks;
    if (old != nullptr && blocked) {
      bits_of(*old) |= bit_of(runtime::kSamplingSignal);
    }
  }
  return result;
}

}  // namespace

namespace spyglass::hooks {

void take_fatal_signals() {
  g_records_fatal = true;
  for (const int fatal : runtime::kFatalSignals) {
    take_place(fatal);
  }
}

bool release_fatal_signals() {
  if (!g_records_fatal || !runtime::in_own_process()) {
    return false;
  }
  for (const int fatal : runtime::kFatalSignals) {
    Action current = {};
    if (real::libc_sigaction(fatal, nullptr, &current) == 0 &&
        is_ours(current, runtime::on_fatal_signal)) {
      real::libc_sigaction(fatal, &g_program[fatal], nullptr);
    }
  }
  g_records_fatal = false;
  return true;
}

void install_handlers() {
  if (runtime::records(format::OperationClass::kSignal)) {
    take_fatal_signals();
  }
  g_sampling = runtime::samples_by_timer();
  if (g_sampling) {
    take_place(runtime::kSamplingSignal);
    runtime::enable_sampling();
  }
}

}  // namespace spyglass::hooks

extern "C" {

int hook_sigaction(int number, const Action* action, Action* old) {
  real::make_ready();
  return set_action(number, action, old);
}

sighandler_t hook_signal(int number, sighandler_t handler) {
  return concerns_us(number) ? set_handler(number, handler, SA_RESTART)
                             : real::signal(number, handler);
}

sighandler_t hook_bsd_signal(int number, sighandler_t handler) {
  return concerns_us(number) ? set_handler(number, handler, SA_RESTART)
                             : real::bsd_signal(number, handler);
}

sighandler_t hook_ssignal(int number, sighandler_t handler) {
  return concerns_us(number) ? set_handler(number, handler, SA_RESTART)
                             : real::ssignal(number, handler);
}

sighandler_t hook_sysv_signal(int number, sighandler_t handler) {
  constexpr int kOnce = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
  return concerns_us(number) ? set_handler(number, handler, kOnce)
                             : real::sysv_signal(number, handler);
}

sighandler_t hook___sysv_signal(int number, sighandler_t handler) {
  return hook_sysv_signal(number, handler);
}

sighandler_t hook_sigset(int number, sighandler_t handler) {
  if (!concerns_us(number)) {
    return real::sigset(number, handler);
  }
  const bool own = runtime::in_own_process();
  const sighandler_t program = g_program[number].sa_handler;
  const sighandler_t old = real::sigset(number, handler);
  if (own) {
    take_place(number);
  }
  Action ours = {};
  ours.sa_sigaction = handler_of(number);
  return old == ours.sa_handler ? program : old;
}

int hook_sigignore(int number) {
  if (!concerns_us(number)) {
    return real::sigignore(number);
  }
  return set_handler(number, SIG_IGN, 0) == SIG_ERR ? -1 : 0;
}

int hook_sigprocmask(int how, const sigset_t* set, sigset_t* old) {
  real::make_ready();
  return set_mask(real::sigprocmask, how, set, old);
}

int hook_pthread_sigmask(int how, const sigset_t* set, sigset_t* old) {
  real::make_ready();
  return set_mask(real::pthread_sigmask, how, set, old);
}

}  // extern "C"
