// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/process_watch.h"

#include <linux/ioctl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>

#include "recorder/collector/proc_files.h"

namespace spyglass::collector {
namespace {

// From Linux 6.15 on a pidfd tells the exit status also after the process was collected; Debian
// 12's headers don't know it yet.
struct PidfdInfo {
  std::uint64_t mask;
  std::uint64_t cgroup;
  std::uint32_t ids[11];
  std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);
constexpr std::uint64_t kPidfdInfoExit = 8;
constexpr unsigned long kGetPidfdInfo = _IOWR(0xFF, 11, PidfdInfo);

std::optional<int> status_from_pidfd(int fd) {
  PidfdInfo info = {};
  info.mask = kPidfdInfoExit;
  if (::ioctl(fd, kGetPidfdInfo, &info) != 0 || (info.mask & kPidfdInfoExit) == 0) {
    return std::nullopt;
  }
  return info.exit_code;
}

std::optional<int> find_status(std::uint32_t pid, int pidfd) {
  int status = 0;
  if (::waitpid(static_cast<pid_t>(pid), &status, WNOHANG) == static_cast<pid_t>(pid)) {
    return status;
  }
  // Its parent may collect it between the two looks; then the second one knows.
  if (const std::optional<int> zombie = read_zombie_status(pid)) {
    return zombie;
  }
  return status_from_pidfd(pidfd);
}

}  // namespace

ProcessWatch::ProcessWatch() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}

ProcessWatch::Verdict ProcessWatch::watch(std::uint32_t pid) {
  UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0)));
  if (!fd) {
    return errno == ESRCH ? Verdict::kGone : Verdict::kCannotWatch;
  }
  const std::lock_guard lock(mutex_);
  const auto [place, added] = watched_.try_emplace(pid);
  if (!added) {
    return Verdict::kWatched;
  }
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u64 = pid;
  place->second = std::move(fd);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, place->second.get(), &event) != 0) {
    watched_.erase(place);
    return Verdict::kCannotWatch;
  }
  return Verdict::kWatched;
}

std::vector<EndedProcess> ProcessWatch::take_ended() {
  std::vector<EndedProcess> ended;
  std::array<epoll_event, 64> events = {};
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  const std::lock_guard lock(mutex_);
  for (int index = 0; index < count; ++index) {
    const auto pid = static_cast<std::uint32_t>(events[static_cast<std::size_t>(index)].data.u64);
    const auto found = watched_.find(pid);
    if (found != watched_.end()) {
      ended.push_back({pid, find_status(pid, found->second.get())});
      watched_.erase(found);
    }
  }
  return ended;
}

bool ProcessWatch::forget(std::uint32_t pid) {
  const std::lock_guard lock(mutex_);
  return watched_.erase(pid) != 0;
}

}  // namespace spyglass::collector
