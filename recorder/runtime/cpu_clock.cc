// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/cpu_clock.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/mman.h>

#include "format/switch_sign.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

using format::CpuClock;
using format::Entry;
using format::Lane;
using format::Node;
using format::SwitchSign;

constexpr std::uint64_t kPageBytes = 4096;

// Differs from what `switch_seen` holds without a sign, so that every hook takes the slow way,
// where the time is looked at.
const std::uint32_t kAlwaysSwitched = 1;

// Address of the control page of a dummy event on the calling thread; 0 where perf is refused.
std::uint64_t map_switch_page() {
  perf_event_attr attributes = {};
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.size = sizeof(attributes);
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  const long descriptor = kernel(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
  if (descriptor < 0) {
    return 0;
  }
  const long page = kernel(SYS_mmap, 0, kPageBytes, PROT_READ, MAP_SHARED, descriptor, 0);
  kernel(SYS_close, descriptor);  // the mapping keeps the event
  return page < 0 && page > -4096 ? 0 : static_cast<std::uint64_t>(page);
}

bool has_page(const Lane* lane) {
  return lane->switch_word != reinterpret_cast<std::uint64_t>(&kAlwaysSwitched) &&
         lane->switch_word != reinterpret_cast<std::uint64_t>(format::switch_sign_place());
}

void use_approximate_clock(Lane* lane) {
  lane->switch_word = reinterpret_cast<std::uint64_t>(&kAlwaysSwitched);
  lane->switch_seen = 0;
  lane->cpu_clock = CpuClock::kApproximate;
}

void use_page(Lane* lane) {
  const std::uint64_t page = g_session.filtered == 0 ? map_switch_page() : 0;
  if (page == 0) {
    return use_approximate_clock(lane);
  }
  lane->switch_word = page + offsetof(perf_event_mmap_page, lock);
  lane->switch_seen = *reinterpret_cast<const volatile std::uint32_t*>(lane->switch_word);
  lane->cpu_clock = CpuClock::kExact;
}

// A program with sequences of its own would take our sign away at each of them: false.
bool leave_sign(volatile std::uint64_t* place) {
  const std::uint64_t found = *place;
  const std::uint64_t sign = format::switch_sign();
  if (found != 0 && found != sign) {
    return false;
  }
  *place = sign;
  return true;
}

// False: there is none to be had.
bool use_sign(Lane* lane) {
  volatile std::uint64_t* place = format::switch_sign_place();
  const auto seen = static_cast<std::uint32_t>(format::switch_sign());
  if (place == nullptr || seen == 0 || !leave_sign(place)) {
    return false;
  }
  lane->switch_word = reinterpret_cast<std::uint64_t>(place);  // its low half
  lane->switch_seen = seen;
  lane->cpu_clock = CpuClock::kExact;
  return true;
}

std::uint64_t ticks_of_ns(std::uint64_t ns) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((static_cast<Wide>(ns) * g_session.ticks_per_ns_q32) >> 32U);
}

// Excluded calls leave their time to their caller.
Node* charged_node(const Lane* lane, const Entry* entry) {
  for (;; ++entry) {
    const format::EntryCall call = format::call_of(entry->node, entry->flags, lane->cells);
    if (call.cell != 0 && (call.flags & format::kEntryUncounted) == 0) {
      return node_at(lane, static_cast<std::uint32_t>(call.cell));  // the sentinel at the latest
    }
  }
}

}  // namespace

void start_cpu_clock(Lane* lane) {
  const SwitchSign sign = g_session.arena->options.switch_sign;
  if (sign == SwitchSign::kNone) {
    use_approximate_clock(lane);
  } else if (sign != SwitchSign::kRseq || !use_sign(lane)) {
    use_page(lane);
  }
  lane->last_sync_cpu_ns = thread_cpu_ns();
  lane->last_sync_ticks = ticks();
  lane->clock_deadline_ticks =
      lane->last_sync_ticks + g_session.arena->options.clock_interval_ticks;
}

void stop_cpu_clock(Lane* lane) {
  if (lane->cpu_clock != CpuClock::kExact) {
    return;
  }
  const std::uint64_t page =
      has_page(lane) ? lane->switch_word - offsetof(perf_event_mmap_page, lock) : 0;
  use_approximate_clock(lane);
  lane->cpu_clock = CpuClock::kExact;  // it was, for all but the last destructors
  asm volatile("" ::: "memory");       // no handler may read the page once it is gone
  if (page != 0) {
    kernel(SYS_munmap, page, kPageBytes);
  }
}

namespace {

// A thread that was switched was away for longer than this, and a hook takes less.
constexpr std::uint64_t kAwayTicks = 8192;

// Before the clock is read: a switch in between then shows at the next hook.
void watch_for_switch(Lane* lane) {
  if (has_page(lane)) {
    lane->switch_seen = *reinterpret_cast<const volatile std::uint32_t*>(lane->switch_word);
  } else if (lane->switch_word != reinterpret_cast<std::uint64_t>(&kAlwaysSwitched) &&
             !leave_sign(format::switch_sign_place())) {
    g_kernel_restricted == 0 ? use_page(lane) : use_approximate_clock(lane);
  }
}

void read_clocks(Lane* lane, const Boundary& boundary) {
  watch_for_switch(lane);
  if (g_kernel_restricted != 0) {
    return;
  }
  const std::uint64_t cpu_ns = thread_cpu_ns();
  const std::uint64_t now_ticks = ticks();
  const std::uint64_t wall_ticks = now_ticks - lane->last_sync_ticks;
  const std::uint64_t cpu_ticks = ticks_of_ns(cpu_ns - lane->last_sync_cpu_ns);
  if (wall_ticks > cpu_ticks && now_ticks > lane->last_sync_ticks) {
    const std::uint64_t off_ticks = wall_ticks - cpu_ticks;
    const std::uint64_t since = now_ticks > boundary.ticks ? now_ticks - boundary.ticks : 0;
    // Never all of it for one sign of a switch after the boundary: there may have been one before,
    // too.
    const std::uint64_t after = since < kAwayTicks ? 0 : since < off_ticks ? since : off_ticks;
    charged_node(lane, boundary.before)->off_cpu_ticks += off_ticks - after;
    charged_node(lane, boundary.after)->off_cpu_ticks += after;
  }
  lane->last_sync_ticks = now_ticks;
  lane->last_sync_cpu_ns = cpu_ns;
  lane->clock_deadline_ticks = now_ticks + g_session.arena->options.clock_interval_ticks;
}

}  // namespace

void sync_cpu(Lane* lane, const Boundary& boundary) {
  if (lane->switch_word == reinterpret_cast<std::uint64_t>(&kAlwaysSwitched) &&
      ticks() < lane->clock_deadline_ticks) {
    return;
  }
  read_clocks(lane, boundary);
}

void read_cpu_of_others(const Lane* own) {
  constexpr std::int64_t kThreadClock =
      6;  // the kernel's name of a thread's clock: ~tid, these bits
  if (g_kernel_restricted != 0) {
    return;
  }
  const std::uint32_t lanes = g_session.arena->lanes_used.load(std::memory_order_relaxed);
  for (std::uint32_t i = 0; i < lanes; ++i) {
    Lane* lane = lane_at(i);
    if (lane == own || lane->process_slot != g_session.process_slot ||
        lane->state.load(std::memory_order_acquire) != format::LaneState::kLive) {
      continue;
    }
    const std::int64_t clock = ~static_cast<std::int64_t>(lane->tid) << 3 | kThreadClock;
    std::int64_t now[2] = {0, 0};
    if (kernel(SYS_clock_gettime, clock, now) == 0) {
      lane->seen_cpu_ns =
          static_cast<std::uint64_t>(now[0]) * 1'000'000'000U + static_cast<std::uint64_t>(now[1]);
      lane->seen_ticks = ticks();
    }
  }
}

void sync_cpu_now(Lane* lane, const Entry* entry) { read_clocks(lane, {entry, entry, ticks()}); }

}  // namespace spyglass::runtime
