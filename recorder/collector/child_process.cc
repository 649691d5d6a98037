// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/child_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace spyglass::collector {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) {
    pointers.push_back(const_cast<char*>(text.c_str()));  // NOLINT: exec does not write
  }
  pointers.push_back(nullptr);
  return pointers;
}

[[noreturn]] void become_program(char* const* arguments, char* const* environment,
                                 const InheritedState& state, int go, int failure) {
  char word = 0;
  if (::read(go, &word, 1) != 1) {
    ::_exit(0);  // spyglass-run could not start the session
  }
  state.restore();
  ::execvpe(arguments[0], arguments, environment);
  const int error = errno;
  // Nobody to tell it to if the write fails; the status says enough.
  const ssize_t told = ::write(failure, &error, sizeof(error));
  ::_exit(told == sizeof(error) ? 0 : 127);
}

}  // namespace

InheritedState::InheritedState() {
  sigemptyset(&handled_);
  for (const int number :
       {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP, SIGCHLD}) {
    sigaddset(&handled_, number);
  }
  ::sigprocmask(SIG_BLOCK, &handled_, &mask_);
  for (std::size_t index = 0; index < kChanged.size(); ++index) {
    struct sigaction action = {};
    // With SIGCHLD ignored the kernel would collect our children; the others must not kill us.
    action.sa_handler = kChanged[index] == SIGCHLD ? SIG_DFL : SIG_IGN;
    ::sigaction(kChanged[index], &action, &actions_[index]);
  }
  ::getrlimit(RLIMIT_NOFILE, &descriptors_);
  const rlimit raised = {descriptors_.rlim_max, descriptors_.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &raised);
}

void InheritedState::restore() const {
  ::setrlimit(RLIMIT_NOFILE, &descriptors_);
  for (std::size_t index = 0; index < kChanged.size(); ++index) {
    ::sigaction(kChanged[index], &actions_[index], nullptr);
  }
  ::sigprocmask(SIG_SETMASK, &mask_, nullptr);
}

Result<ChildProcess> ChildProcess::fork(const std::vector<std::string>& command,
                                        const std::vector<std::string>& environment,
                                        const InheritedState& state) {
  const std::vector<char*> arguments = pointers_to(command);
  const std::vector<char*> variables = pointers_to(environment);
  std::array<int, 2> go = {-1, -1};
  std::array<int, 2> failure = {-1, -1};
  const bool piped = ::pipe2(go.data(), O_CLOEXEC) == 0 && ::pipe2(failure.data(), O_CLOEXEC) == 0;
  UniqueFd go_read(go[0]);
  UniqueFd go_write(go[1]);
  UniqueFd failure_read(failure[0]);
  UniqueFd failure_write(failure[1]);
  const pid_t pid = piped ? ::fork() : -1;
  if (pid == 0) {
    go_write.reset();
    become_program(arguments.data(), variables.data(), state, go_read.get(), failure_write.get());
  }
  if (pid < 0) {
    return Error{ErrorKind::kSystem,
                 std::string("cannot start a process: ") + std::strerror(errno)};
  }
  return ChildProcess(pid, std::move(go_write), std::move(failure_read));
}

ChildProcess::~ChildProcess() {
  if (go_) {
    go_.reset();
    ::waitpid(pid_, nullptr, 0);
  }
}

int ChildProcess::run() {
  const ssize_t told = ::write(go_.get(), "g", 1);
  go_.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = told == 1 ? ::read(failure_.get(), &error, sizeof(error)) : 0;
  } while (got < 0 && errno == EINTR);
  failure_.reset();
  if (got == static_cast<ssize_t>(sizeof(error))) {
    ::waitpid(pid_, nullptr, 0);
    return error;
  }
  return 0;
}

}  // namespace spyglass::collector
