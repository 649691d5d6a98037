// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/shared_stop.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>
#include <string>
#include <string_view>

#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {
namespace {

constexpr timespec kLookEvery = {0, 20'000'000};

UniqueFd open_stat(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

bool says_stopped(int stat) {
  std::array<char, 1024> bytes = {};
  const ssize_t got = ::pread(stat, bytes.data(), bytes.size(), 0);
  const std::string_view text(bytes.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  const std::size_t name_end = text.rfind(") ");
  return name_end != std::string_view::npos && name_end + 2 < text.size() &&
         (text[name_end + 2] == 'T' || text[name_end + 2] == 't');
}

// It repeats itself: the first SIGCONT may come before the stop.
[[noreturn]] void wake_parent(pid_t parent, int stat) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::setsid();
  ::dup2(stat, 0);  // whoever waits for the end of a pipe is not to wait for this process
  ::close_range(1, ~0U, 0);
  while (::getppid() == parent) {
    if (!says_stopped(0)) {
      ::kill(parent, SIGCONT);
    }
    ::nanosleep(&kLookEvery, nullptr);
  }
  ::_exit(0);
}

}  // namespace

bool went_on_since_stop(pid_t child) {
  siginfo_t event = {};
  constexpr int kEverything = WCONTINUED | WSTOPPED | WEXITED;
  return ::waitid(P_PID, static_cast<id_t>(child), &event, kEverything | WNOHANG | WNOWAIT) != 0 ||
         event.si_pid != 0;
}

void stop_with(pid_t child) {
  const UniqueFd stat = open_stat(child);
  const pid_t parent = ::getpid();
  const pid_t waker = stat ? ::fork() : -1;
  if (waker == 0) {
    wake_parent(parent, stat.get());
  }
  ::raise(SIGSTOP);
  if (waker > 0) {
    ::kill(waker, SIGKILL);
    ::waitpid(waker, nullptr, 0);
  }
}

}  // namespace spyglass::collector
