// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/supervisor.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <utility>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/proc_files.h"
#include "recorder/collector/shared_stop.h"

namespace spyglass::collector {
namespace {

// Serve mode: a child that was forked just before the last process ended says so within this time.
constexpr int kQuietTurns = 2;
constexpr int kTurnMs = 10;

const char* why_not_welcome(format::WelcomeStatus verdict) {
  switch (verdict) {
    case format::WelcomeStatus::kNoRoom:
      return "too many processes";
    case format::WelcomeStatus::kRefused:
      return "runs as another user, who may not write to the recording";
    default:
      return "its library is of another version";
  }
}

}  // namespace

Supervisor::Supervisor(const Arena& arena, const SessionSocket& socket, ProcessWatch& watch,
                       Collector& collector, Follow follow, const sigset_t& handled_signals)
    : arena_(arena),
      socket_(socket),
      watch_(watch),
      collector_(collector),
      follow_(follow),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      signals_(::signalfd(-1, &handled_signals, SFD_CLOEXEC | SFD_NONBLOCK)) {
  for (const int fd : {signals_.get(), socket_.fd(), watch_.fd()}) {
    poll_for(fd, true);
  }
}

void Supervisor::poll_for(int fd, bool wanted) const {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

void Supervisor::add_connection(UniqueFd connection) {
  const int fd = connection.get();
  if (fd >= 0) {
    connections_[fd] = std::move(connection);
    poll_for(fd, true);
  }
}

bool Supervisor::supervise() {
  while (!is_over()) {
    std::array<epoll_event, 64> events = {};
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   child_ == 0 ? kTurnMs : -1);
    for (int index = 0; index < count; ++index) {
      handle_event(events[static_cast<std::size_t>(index)].data.fd);
    }
    if (child_ == 0 && serving_is_over()) {
      break;
    }
  }
  return !interrupted_;
}

bool Supervisor::is_over() const {
  const bool child_ended = child_status_.has_value();
  return interrupted_ || (child_ended && (no_children_ || follow_ == Follow::kMain));
}

bool Supervisor::serving_is_over() {
  const bool quiet = connections_.empty() && collector_.live_processes() == 0;
  quiet_turns_ = quiet ? quiet_turns_ + 1 : 0;
  return quiet_turns_ > kQuietTurns;
}

void Supervisor::handle_event(int fd) {
  if (fd == signals_.get()) {
    handle_signals();
  } else if (fd == watch_.fd()) {
    for (const EndedProcess& ended : watch_.take_ended()) {
      note_ended(ended);
    }
    collect_children();
  } else if (fd == socket_.fd()) {
    add_connection(socket_.accept());
  } else if (auto found = connections_.extract(fd)) {
    poll_for(fd, false);
    welcome(std::move(found.mapped()));
  }
}

void Supervisor::note_ended(const EndedProcess& ended) {
  if (static_cast<pid_t>(ended.pid) == child_ && ended.wait_status) {
    child_status_ = ended.wait_status;
  }
  collector_.post_end(ended);
}

void Supervisor::collect_children() {
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
    if (WIFSTOPPED(status)) {
      if (pid == child_) {
        stop_with(child_);
        continued_ = true;
      }
      continue;
    }
    watch_.forget(static_cast<std::uint32_t>(pid));
    note_ended({static_cast<std::uint32_t>(pid), status});
  }
  no_children_ = pid < 0 && errno == ECHILD;
}

void Supervisor::handle_signals() {
  signalfd_siginfo info = {};
  while (::read(signals_.get(), &info, sizeof(info)) == static_cast<ssize_t>(sizeof(info))) {
    if (info.ssi_signo == SIGCHLD) {
      collect_children();
    } else {
      forward(info);
    }
  }
}

void Supervisor::forward(const signalfd_siginfo& info) {
  const auto number = static_cast<int>(info.ssi_signo);
  if (child_ == 0 || child_status_) {
    // Only what outlived the program is left: enough is enough.
    const bool ends = number == SIGINT || number == SIGTERM || number == SIGQUIT ||
                      (number == SIGHUP && child_ != 0);
    interrupted_ = interrupted_ || ends;
    return;
  }
  // Who ended the stop has mostly told the whole job, or only the program. Another stop may
  // have followed: it is not to be undone.
  if (number == SIGCONT && std::exchange(continued_, false) && went_on_since_stop(child_)) {
    return;
  }
  // The kernel sends what comes from the terminal to the whole process group, the program included.
  if (info.ssi_code != SI_KERNEL && static_cast<pid_t>(info.ssi_pid) != child_) {
    ::kill(child_, number);
  }
}

void Supervisor::welcome(UniqueFd connection) {
  std::optional<Caller> caller = receive_hello(std::move(connection));
  if (!caller) {
    return;
  }
  NewImage image;
  image.outer_pid = caller->outer_pid;
  image.ticks = now_ticks();
  if (caller->verdict == format::WelcomeStatus::kWelcome && !arena_.claim_process(image.slot)) {
    caller->verdict = format::WelcomeStatus::kNoRoom;
  }
  const std::string executable = read_executable(image.outer_pid);
  if (caller->verdict != format::WelcomeStatus::kWelcome) {
    collector_.coverage().add(executable, why_not_welcome(caller->verdict));
    send_welcome(*caller, 0, 0, -1);
    return;
  }
  format::ProcessSlot& slot = arena_.process(image.slot);
  slot.outer_pid = image.outer_pid;
  slot.start_ticks = image.ticks;
  slot.state.store(format::ProcessState::kClaimed, std::memory_order_release);
  image.command = read_command(image.outer_pid);
  if (const auto times = read_thread_times(image.outer_pid, image.outer_pid)) {
    image.cpu_ns = times->cpu_ns;
  }
  image.executable = executable;
  if (const std::optional<ProcStatus> status = read_proc_status(image.outer_pid)) {
    image.ppid = status->ppid;
  }
  const std::uint32_t index = image.slot;
  const std::uint32_t pid = image.outer_pid;
  collector_.post_image(std::move(image));
  if (watch_.watch(pid) == ProcessWatch::Verdict::kGone) {
    collector_.post_end({pid, std::nullopt});
  }
  joined_ = true;
  // A caller that has died meanwhile is found out by the watch.
  send_welcome(*caller, index, arena_.geometry().arena_bytes, arena_.fd());
}

}  // namespace spyglass::collector
