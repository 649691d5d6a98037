// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/perf_events.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "recorder/collector/perf_records.h"
#include "recorder/collector/proc_files.h"

namespace spyglass::collector {
namespace {

constexpr std::size_t kLargestRing = 4U << 20U;  // the kernel clears it before the program begins
constexpr std::size_t kAllRings = 64U << 20U;    // on machines with many processors
constexpr std::size_t kSmallestRing = 64U << 10U;
// Most stacks fit into 16 KiB. Not those of programs with buffers on them: git's need 32, those of
// x264 40. What is not there is not copied, so more costs only room.
constexpr std::uint64_t kLeastStackBytes = 8U << 10U;
constexpr std::uint64_t kSamplesInRing = 100;  // so many are to fit, and those of this time:
constexpr std::uint64_t kRingNs = 100'000'000;
static_assert(kLargestRing / kSamplesInRing < (60U << 10U), "a record ends at 64 KiB");
constexpr std::size_t kMlockMargin = 2;  // the program's own events take some of it too
constexpr std::size_t kMostCpus = 4096;
constexpr const char* kNoMemory = "locking memory for a perf event";

std::uint64_t read_number(const char* path, std::uint64_t otherwise) {
  std::ifstream file(path);
  std::uint64_t value = otherwise;
  return file >> value ? value : otherwise;
}

// How much of the stack to copy, so that the ring holds enough samples; the kernel wants whole
// words.
std::uint32_t stack_bytes(std::size_t ring, std::uint64_t interval_ns) {
  const std::uint64_t samples = std::max(kSamplesInRing, kRingNs / interval_ns);
  const std::uint64_t bytes = std::max(ring / samples, kLeastStackBytes);
  return static_cast<std::uint32_t>(bytes / 8 * 8);
}

// "0-3,8" to numbers.
std::vector<int> online_cpus() {
  std::ifstream file("/sys/devices/system/cpu/online");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  std::vector<int> cpus;
  const char* at = text.data();
  const char* end = at + text.size();
  while (at < end && cpus.size() < kMostCpus) {
    int first = 0;
    const auto begin = std::from_chars(at, end, first);
    if (begin.ec != std::errc()) {
      break;
    }
    int last = first;
    at = begin.ptr;
    if (at < end && *at == '-') {
      at = std::from_chars(at + 1, end, last).ptr;
    }
    for (int cpu = first; cpu <= last && cpus.size() < kMostCpus; ++cpu) {
      cpus.push_back(cpu);
    }
    at += at < end ? 1 : 0;
  }
  if (cpus.empty()) {
    for (int cpu = 0; cpu < ::sysconf(_SC_NPROCESSORS_ONLN); ++cpu) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

// As much memory for each ring as the kernel is likely to lock for us.
std::size_t ring_bytes(std::size_t cpus) {
  std::size_t allowed = kAllRings / cpus;
  if (::geteuid() != 0) {
    rlimit locked = {};
    ::getrlimit(RLIMIT_MEMLOCK, &locked);
    const std::size_t for_all = read_number("/proc/sys/kernel/perf_event_mlock_kb", 516) * 1024;
    const std::size_t ours = locked.rlim_cur / cpus;
    allowed = std::min(allowed, std::max<std::size_t>(for_all, ours) / kMlockMargin);
  }
  std::size_t bytes = kLargestRing;
  while (bytes > allowed && bytes > kSmallestRing) {
    bytes /= 2;
  }
  return bytes;
}

perf_event_attr sampling_of(std::uint64_t interval_ns, std::size_t ring, std::uint32_t stack) {
  perf_event_attr attr = {};
  attr.size = sizeof(attr);
  attr.type = PERF_TYPE_SOFTWARE;
  attr.config = PERF_COUNT_SW_TASK_CLOCK;
  attr.sample_period = interval_ns;
  attr.sample_type = PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_REGS_USER |
                     PERF_SAMPLE_STACK_USER;
  attr.sample_regs_user = kPerfRegisters;
  attr.sample_stack_user = stack;
  attr.inherit = 1;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  attr.mmap = 1;
  attr.mmap2 = 1;
  attr.comm = 1;
  attr.comm_exec = 1;
  attr.task = 1;
  attr.sample_id_all = 1;
  attr.watermark = 1;
  attr.wakeup_watermark = static_cast<std::uint32_t>(ring / 4);
  attr.use_clockid = 1;
  attr.clockid = CLOCK_MONOTONIC;
  attr.build_id = 1;
  return attr;
}

int open_event(perf_event_attr& attr, pid_t tid, int cpu) {
  const auto open = [&] {
    return static_cast<int>(
        ::syscall(SYS_perf_event_open, &attr, tid, cpu, -1, PERF_FLAG_FD_CLOEXEC));
  };
  int fd = open();
  if (fd < 0 && (errno == EINVAL || errno == E2BIG) && attr.build_id != 0) {
    attr.build_id = 0;  // Linux before 5.12
    fd = open();
  }
  return fd;
}

Error refusal(const char* call) {
  return Error{ErrorKind::kSystem, std::string(call) + ": " + std::strerror(errno)};
}

// Null: errno says why.
void* map_ring(int fd, std::size_t bytes) {
  void* pages = ::mmap(nullptr, static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + bytes,
                       PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return pages == MAP_FAILED ? nullptr : pages;
}

Status open_rings(perf_event_attr& attr, pid_t tid, const std::vector<int>& cpus, std::size_t bytes,
                  PerfEvents& events) {
  for (const int cpu : cpus) {
    UniqueFd fd(open_event(attr, tid, cpu));
    if (!fd && errno == ENODEV) {
      continue;  // went offline
    }
    if (!fd) {
      return refusal("perf_event_open");
    }
    void* pages = map_ring(fd.get(), bytes);
    if (pages == nullptr) {
      return refusal(errno == EPERM ? kNoMemory : "mapping the ring of a perf event");
    }
    events.rings.emplace_back(std::move(fd), pages, bytes);
  }
  return events.rings.empty() ? Status(Error{ErrorKind::kSystem, "no CPU is online"})
                              : Status(Unit{});
}

Result<PerfEvents> open_events(pid_t tid, std::uint64_t interval_ns, bool at_exec) {
  const std::vector<int> cpus = online_cpus();
  std::size_t bytes = ring_bytes(cpus.size());
  while (true) {
    PerfEvents events;
    events.stack_bytes = stack_bytes(bytes, interval_ns);
    perf_event_attr attr = sampling_of(interval_ns, bytes, events.stack_bytes);
    attr.disabled = at_exec ? 1 : 0;
    attr.enable_on_exec = at_exec ? 1 : 0;
    const Status opened = open_rings(attr, tid, cpus, bytes, events);
    if (opened) {
      return events;
    }
    if (!opened.error().what.starts_with(kNoMemory) || bytes <= kSmallestRing) {
      return opened.error();
    }
    bytes /= 2;
  }
}

}  // namespace

Result<PerfEvents> open_perf_events(pid_t child, std::uint64_t interval_ns) {
  return open_events(child, interval_ns, true);
}

Result<PerfEvents> attach_perf_events(pid_t process, std::uint64_t interval_ns) {
  // Threads that inherited the events could not be told from those that did not.
  if (count_threads(static_cast<std::uint32_t>(process)) != 1) {
    return Error{ErrorKind::kSystem, "the program already had several threads"};
  }
  return open_events(process, interval_ns, false);
}

}  // namespace spyglass::collector
