// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/session.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "recorder/runtime/address_limit.h"
#include "recorder/runtime/allocations.h"
#include "recorder/runtime/bucket_table.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/cpu_clock.h"
#include "recorder/runtime/descriptors.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/launch_collector.h"
#include "recorder/runtime/syscalls.h"
#include "recorder/runtime/timer_sampler.h"

namespace spyglass::runtime {

constinit Session g_session = {};  // no initializer may run after the session began
constinit ForkPage g_fork_page = {};

namespace {

using format::ArenaHeader;
using format::ProcessSlot;
using format::ProcessState;

constinit std::uint32_t g_allocator = 0;

constexpr std::uint64_t kSmallestMapping = std::uint64_t{16} << 20U;
constexpr std::int64_t kHandshakeSeconds = 10;
constexpr std::uint32_t kNoKey = ~std::uint32_t{0};
constexpr pthread_key_t kCheapKeys = 32;  // keys below need no allocation in pthread_setspecific

bool failed(long result) { return result < 0 && result > -4096; }

// The session socket's abstract name, from SPYGLASS_SESSION. Returns a connected socket or -1.
long connect_to_collector(const char* name) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  const std::size_t bytes = strnlen(name, sizeof(address.sun_path));
  if (bytes == 0 || bytes >= sizeof(address.sun_path)) {
    return -1;
  }
  for (std::size_t i = 0; i < bytes; ++i) {
    address.sun_path[i + 1] = name[i];
  }
  const long descriptor = kernel(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (failed(descriptor)) {
    return -1;
  }
  const auto length = static_cast<std::uint32_t>(offsetof(sockaddr_un, sun_path) + 1 + bytes);
  if (failed(kernel(SYS_connect, descriptor, &address, length))) {
    kernel(SYS_close, descriptor);
    return -1;
  }
  return descriptor;
}

// Before libc knows the environment (.preinit_array runs then), the kernel's copy of it is asked.
// `prefix` ends with '='. Returns `value`, or nullptr when there is no such variable or no room for
// it.
const char* early_variable(const char* prefix, char* value, std::size_t capacity) {
  const long file = kernel(SYS_openat, AT_FDCWD, "/proc/self/environ", O_RDONLY | O_CLOEXEC);
  if (failed(file)) {
    return nullptr;
  }
  const char* found = nullptr;
  char text[1024];
  std::size_t matched = 0;
  std::size_t length = 0;
  constexpr std::size_t kOther = ~std::size_t{0};  // the current variable is another one
  long bytes = 0;
  while (found == nullptr && (bytes = kernel(SYS_read, file, text, sizeof(text))) > 0) {
    for (long i = 0; i < bytes && found == nullptr; ++i) {
      const bool in_value = matched != kOther && prefix[matched] == 0;
      if (in_value && length < capacity) {
        value[length++] = text[i];
      }
      if (text[i] == 0) {
        found = in_value && value[length - 1] == 0 ? value : nullptr;
        matched = length = 0;
      } else if (!in_value && matched != kOther) {
        matched = text[i] == prefix[matched] ? matched + 1 : kOther;
      }
    }
  }
  kernel(SYS_close, file);
  return found;
}

// Says hello and takes the welcome. Returns the arena's descriptor or -1.
long shake_hands(long descriptor, format::Welcome& welcome) {
  const std::int64_t timeout[2] = {kHandshakeSeconds, 0};
  kernel(SYS_setsockopt, descriptor, SOL_SOCKET, SO_RCVTIMEO, timeout, sizeof(timeout));
  const format::Hello hello = {format::kArenaMagic, format::layout_fingerprint(),
                               format::kArenaVersion,
                               static_cast<std::uint32_t>(kernel(SYS_getpid))};
  if (kernel(SYS_sendto, descriptor, &hello, sizeof(hello), MSG_NOSIGNAL, 0, 0) != sizeof(hello)) {
    return -1;
  }
  iovec content = {&welcome, sizeof(welcome)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const long received = kernel(SYS_recvmsg, descriptor, &message, MSG_CMSG_CLOEXEC);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (received != sizeof(welcome) || header == nullptr || header->cmsg_type != SCM_RIGHTS) {
    return -1;
  }
  int arena = -1;
  std::memcpy(&arena, CMSG_DATA(header), sizeof(arena));
  return arena;
}

constinit std::uint64_t g_most_arena_bytes = ~std::uint64_t{0};

// Maps as much of the arena as the address space limit allows: a prefix has fewer lanes.
bool map_arena(long descriptor, std::uint64_t bytes) {
  bytes = make_room_under_limit(bytes < g_most_arena_bytes ? bytes : g_most_arena_bytes);
  for (; bytes >= kSmallestMapping; bytes /= 2) {
    const long address = kernel(SYS_mmap, 0, bytes, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_NORESERVE, descriptor, 0);
    if (!failed(address)) {
      kernel(SYS_madvise, address, bytes,
             MADV_DONTDUMP);  // keeps core files as small as without us
      g_session.arena = reinterpret_cast<ArenaHeader*>(address);
      g_session.mapped_bytes = bytes;
      return true;
    }
  }
  return false;
}

bool arena_fits() {
  const ArenaHeader* arena = g_session.arena;
  if (arena->magic != format::kArenaMagic || arena->layout != format::layout_fingerprint()) {
    return false;
  }
  const format::ArenaGeometry& geometry = arena->geometry;
  if (g_session.mapped_bytes <= geometry.lanes_offset + geometry.lane_bytes) {
    return false;
  }
  const std::uint64_t lanes =
      (g_session.mapped_bytes - geometry.lanes_offset) / geometry.lane_bytes;
  g_session.lane_limit =
      static_cast<std::uint32_t>(lanes < geometry.lane_count ? lanes : geometry.lane_count);
  return true;
}

ProcessSlot* process_at(std::uint32_t index) {
  return reinterpret_cast<ProcessSlot*>(reinterpret_cast<std::uint64_t>(g_session.arena) +
                                        g_session.arena->geometry.processes_offset) +
         index;
}

void fill_process(ProcessSlot* process, std::uint32_t index) {
  g_session.process = process;
  g_session.process_slot = index;
  process->pid = static_cast<std::uint32_t>(kernel(SYS_getpid));
  process->ppid = static_cast<std::uint32_t>(kernel(SYS_getppid));
  process->arena_address = reinterpret_cast<std::uint64_t>(g_session.arena);
  process->allocator = g_allocator;
  if (process->start_ticks == 0) {
    process->start_ticks = ticks();
  }
  // Release: the collector reads the slot only in this state.
  process->state.store(ProcessState::kLive, std::memory_order_release);
}

// 2^32 ticks per nanosecond from nanoseconds per tick * 2^60.
std::uint64_t invert(std::uint64_t ns_per_tick_q60) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{1} << 92U) / ns_per_tick_q60);
}

void on_thread_exit(void* rounds_left) {
  const auto rounds = reinterpret_cast<std::uint64_t>(rounds_left);
  if (rounds > 1) {
    pthread_setspecific(g_session.thread_key, reinterpret_cast<void*>(rounds - 1));
  } else {
    note_thread_exit();
  }
}

__thread ForkedPath* t_forked_path;

void before_fork() {
  hold_sampling();
  t_forked_path = copy_open_calls();
}

void after_fork_in_parent() {
  free_open_calls(t_forked_path);
  t_forked_path = nullptr;
  release_sampling();
}

void after_fork_in_child() {
  begin_forked_process();
  if (t_forked_path != nullptr && g_fork_page.recording != 0) {
    reopen_calls(*t_forked_path);
  }
  after_fork_in_parent();
  if (samples_by_timer()) {
    ready_lane();
  }
}

void register_handlers() {
  pthread_key_t key = 0;
  g_session.thread_key = kNoKey;
  if (pthread_key_create(&key, on_thread_exit) == 0) {
    if (key < kCheapKeys) {
      g_session.thread_key = key;
    } else {
      pthread_key_delete(key);
    }
  }
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

bool join(long descriptor) {
  format::Welcome welcome = {};
  const long arena = shake_hands(descriptor, welcome);
  kernel(SYS_close, descriptor);
  if (arena < 0) {
    return false;
  }
  const bool mapped = welcome.magic == format::kArenaMagic &&
                      welcome.status == format::WelcomeStatus::kWelcome &&
                      map_arena(arena, welcome.arena_bytes);
  kernel(SYS_close, arena);
  if (!mapped || !arena_fits() || welcome.process_slot >= g_session.arena->geometry.process_count) {
    return false;
  }
  const std::uint64_t ns_per_tick_q60 = g_session.arena->options.ns_per_tick_q60;
  if (ns_per_tick_q60 == 0 || ns_per_tick_q60 >= std::uint64_t{1} << 60U) {
    return false;  // no clock as slow as 1 GHz: the histogram's arithmetic has no room for it
  }
  g_session.ticks_per_ns_q32 = invert(ns_per_tick_q60);
  fill_bucket_table(ns_per_tick_q60 << 4U);
  g_session.filtered = kernel(SYS_prctl, PR_GET_SECCOMP, 0, 0, 0, 0) > 0 ? 1 : 0;
  fill_process(process_at(welcome.process_slot), welcome.process_slot);
  register_handlers();
  return !failed(kernel(SYS_madvise, &g_fork_page, sizeof(g_fork_page), MADV_WIPEONFORK));
}

std::uint32_t take_process_slot() {
  std::atomic<std::uint64_t>& head = g_session.arena->free_processes.head;
  std::uint64_t seen = head.load(std::memory_order_acquire);
  while (static_cast<std::uint32_t>(seen) != 0) {
    const std::uint32_t index = static_cast<std::uint32_t>(seen) - 1;
    const std::uint64_t next = ((seen >> 32U) + 1) << 32U | process_at(index)->next_free;
    if (head.compare_exchange_weak(seen, next, std::memory_order_acquire)) {
      return index;
    }
  }
  std::atomic<std::uint32_t>& used = g_session.arena->processes_used;
  std::uint32_t index = used.load(std::memory_order_relaxed);
  while (index < g_session.arena->geometry.process_count) {
    if (used.compare_exchange_weak(index, index + 1, std::memory_order_relaxed)) {
      return index;
    }
  }
  return ~std::uint32_t{0};
}

}  // namespace

format::Lane* lane_at(std::uint32_t index) {
  const format::ArenaGeometry& geometry = g_session.arena->geometry;
  return reinterpret_cast<format::Lane*>(reinterpret_cast<std::uint64_t>(g_session.arena) +
                                         geometry.lanes_offset + index * geometry.lane_bytes +
                                         geometry.lane_header_offset);
}

std::uint32_t index_of(const format::Lane* lane) {
  const std::uint64_t distance =
      reinterpret_cast<std::uint64_t>(lane) - reinterpret_cast<std::uint64_t>(lane_at(0));
  return static_cast<std::uint32_t>(distance / g_session.arena->geometry.lane_bytes);
}

void limit_arena(std::uint64_t bytes) { g_most_arena_bytes = bytes; }

bool is_in_session() {
  return g_session.state.load(std::memory_order_relaxed) == SessionState::kOn;
}

void start_session() {
  SessionState unknown = SessionState::kUnknown;
  if (!g_session.state.compare_exchange_strong(unknown, SessionState::kStarting)) {
    return;
  }
  char early_name[sizeof(sockaddr_un::sun_path)];
  const char* name = secure_getenv("SPYGLASS_SESSION");
  if (environ == nullptr && getauxval(AT_SECURE) == 0) {
    name = early_variable("SPYGLASS_SESSION=", early_name, sizeof(early_name));
    if (name == nullptr) {
      g_session.state.store(SessionState::kUnknown);  // ask again when libc can answer
      return;
    }
  }
  long descriptor = -1;
  if (name != nullptr) {
    descriptor = connect_to_collector(name);
  } else if (secure_getenv("SPYGLASS_OUTPUT") != nullptr) {
    descriptor = launch_collector();
  }
  const bool joined = descriptor >= 0 && join(descriptor);
  // Release: hooks of other threads that see kOn see the session.
  g_session.state.store(joined ? SessionState::kOn : SessionState::kOff, std::memory_order_release);
  g_fork_page.recording = joined ? 1 : 0;
  decide_memory_mode(joined ? g_session.arena->options.memory : format::MemoryMode::kOff);
}

void begin_forked_process() {
  if (g_session.state.load(std::memory_order_relaxed) != SessionState::kOn ||
      g_fork_page.recording != 0) {
    return;
  }
  const std::uint32_t parent = g_session.process_slot;
  const std::uint32_t parent_modules =
      g_session.process->newest_module.load(std::memory_order_relaxed);
  const bool own_descriptors = t_thread.own_descriptors != 0;
  t_thread = {};
  if (own_descriptors) {
    forget_descriptors(0, ~0U);  // what the table tells is of the other threads, who stayed behind
  }
  const std::uint32_t index = take_process_slot();
  if (index == ~std::uint32_t{0}) {
    g_session.state.store(SessionState::kOff, std::memory_order_relaxed);
    return;
  }
  ProcessSlot* process = process_at(index);
  process->state.store(ProcessState::kClaimed, std::memory_order_relaxed);
  process->parent_slot = parent + 1;
  process->outer_pid = 0;
  process->exit_known.store(0, std::memory_order_relaxed);
  process->exit_status = 0;
  process->exit_ticks = 0;
  process->start_ticks = 0;
  process->unseen.store(0, std::memory_order_relaxed);
  process->newest_module.store(parent_modules, std::memory_order_relaxed);
  fill_process(process, index);
  g_fork_page.recording = 1;
}

bool pause_recording() {
  SessionState on = SessionState::kOn;
  const bool paused =
      g_session.state.compare_exchange_strong(on, SessionState::kOff, std::memory_order_acq_rel);
  if (paused) {
    g_fork_page.recording = 0;
    g_memory_mode = format::MemoryMode::kOff;  // its hooks read the clock before they ask further
  }
  return paused;
}

void resume_recording() {
  g_memory_mode = g_session.arena->options.memory;
  g_fork_page.recording = 1;
  g_session.state.store(SessionState::kOn, std::memory_order_release);
}

void note_allocator(std::uint32_t traits) { g_allocator = traits; }

void note_exit(int status) {
  if (g_fork_page.recording == 0) {
    return;
  }
  if (format::Lane* lane = t_thread.lane) {
    sync_cpu_now(lane,
                 top_of(lane));  // calls that never return have their time off the CPU up to here
  }
  read_cpu_of_others(t_thread.lane);
  g_session.process->exit_status = static_cast<std::uint32_t>(status) & 0xffU;
  g_session.process->exit_ticks = ticks();
  // Release: the collector that sees exit_known sees the status.
  g_session.process->exit_known.store(1, std::memory_order_release);
}

}  // namespace spyglass::runtime
