// SPDX-License-Identifier: Apache-2.0
// spyglass-run - runs a program and records it. Exits as the program does; 125 for failures of its
// own, 126 when the program may not be run, 127 when there is none.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "recorder/collector/child_process.h"
#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/elf_check.h"
#include "recorder/collector/proc_files.h"
#include "tools/run_options.h"
#include "tools/run_session.h"

extern char** environ;  // NOLINT: POSIX has it so

namespace spyglass {
namespace {

constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

int complain(const std::string& what, int exit_code = kOwnFailure) {
  std::fprintf(stderr, "spyglass-run: %s\n", what.c_str());
  return exit_code;
}

// SPYGLASS_LIBRARY, else where it stands relative to this program, built or installed. Empty:
// missing.
std::string library_path() {
  if (const char* given = ::secure_getenv("SPYGLASS_LIBRARY")) {
    return given;
  }
  const std::string self = collector::read_executable(static_cast<std::uint32_t>(::getpid()));
  const std::string bin = self.substr(0, self.find_last_of('/'));
  std::array<char, 4096> path = {};
  const std::string beside = bin + "/../lib/spyglass/libspyglass.so";
  return ::realpath(beside.c_str(), path.data()) != nullptr ? path.data() : "";
}

// A program that GCC built with -fsanitize=address refuses to run when anything is loaded before
// the sanitizer's library. It works all the same: what we need of libc early we take past it.
std::string sanitizer_options(std::string_view given) {
  constexpr std::string_view kOption = "verify_asan_link_order";
  std::string options = "ASAN_OPTIONS=" + std::string(given);
  if (given.find(kOption) == std::string_view::npos) {
    options += (given.empty() ? "" : ":") + std::string(kOption) + "=0";
  }
  return options;
}

std::vector<std::string> child_environment(const std::string& session_name,
                                           const std::string& library) {
  std::vector<std::string> environment;
  std::string preload = "LD_PRELOAD=" + library;
  std::string_view asan_options;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("LD_PRELOAD=")) {
      preload += library.empty() || text.size() == 11 ? "" : ":";
      preload += text.substr(11);
    } else if (!library.empty() && text.starts_with("ASAN_OPTIONS=")) {
      asan_options = text.substr(13);
    } else if (!text.starts_with("SPYGLASS_SESSION=")) {
      environment.emplace_back(text);
    }
  }
  if (preload.size() > 11) {
    environment.push_back(preload);
  }
  if (!library.empty()) {
    environment.push_back(sanitizer_options(asan_options));
  }
  environment.push_back("SPYGLASS_SESSION=" + session_name);
  return environment;
}

std::string counted(std::uint64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

std::string readable_bytes(std::uint64_t bytes) {
  std::array<char, 32> text = {};
  const auto value = static_cast<double>(bytes);
  if (bytes < 10'000) {
    std::snprintf(text.data(), text.size(), "%llu B", static_cast<unsigned long long>(bytes));
  } else if (bytes < 10'000'000) {
    std::snprintf(text.data(), text.size(), "%.0f KB", value / 1e3);
  } else {
    std::snprintf(text.data(), text.size(), "%.1f MB", value / 1e6);
  }
  return text.data();
}

std::string describe_losses(const collector::Summary& summary) {
  std::string text;
  const auto add = [&](std::uint64_t count, const char* one, const char* many) {
    if (count != 0) {
      text += (text.empty() ? "lost " : ", ") + counted(count, one, many);
    }
  };
  add(summary.spans_lost, "span", "spans");
  add(summary.calls_lost, "call", "calls");
  add(summary.allocations_lost, "allocation or free", "allocations and frees");
  add(summary.events_lost, "event", "events");
  add(summary.samples_lost, "CPU sample", "CPU samples");
  add(summary.stacks_shortened, "stack's inner frames", "stacks' inner frames");
  add(summary.other_losses, "thread or module", "threads or modules");
  if (!summary.failure.empty()) {
    text += (text.empty() ? "" : " ") + ("(" + summary.failure + ")");
  }
  if (!summary.complete) {
    text += text.empty() ? "the recording has no proper end" : "; the recording has no proper end";
  }
  if (text.empty()) {
    text = "nothing lost";
  }
  if (summary.blind_spots != 0) {
    text += ", but " + counted(summary.blind_spots, "blind spot", "blind spots");
  }
  return text;
}

void report(const collector::Summary& summary, bool quiet) {
  const bool lost = !summary.complete || !summary.failure.empty();
  if (quiet && !lost) {
    return;
  }
  complain("recorded " + counted(summary.calls, "call", "calls") + " and " +
           counted(summary.samples, "CPU sample", "CPU samples") + " in " +
           counted(summary.threads, "thread", "threads") + " of " +
           counted(summary.processes, "process", "processes") + ", " +
           counted(summary.spans, "span", "spans") + ", " +
           counted(summary.allocations, "allocation", "allocations") + ", " +
           readable_bytes(summary.file_bytes) + "; " + describe_losses(summary) +
           "; next: spyglass analyze " + summary.path);
}

// Ends as the program did, so that a caller sees no difference.
int exit_like(int wait_status) {
  if (WIFEXITED(wait_status)) {
    return WEXITSTATUS(wait_status);
  }
  const int number = WTERMSIG(wait_status);
  const rlimit no_core = {0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::prctl(PR_SET_DUMPABLE, 0);
  std::signal(number, SIG_DFL);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  ::raise(number);
  ::sigprocmask(SIG_UNBLOCK, &mask, nullptr);
  return 128 + number;
}

// Says why the program can't be recorded; returns an exit code if it is not to be run at all.
int check_recordable(const RunOptions& options, const std::string& why) {
  if (why.empty()) {
    return 0;
  }
  const std::string subject = "'" + options.command.front() + "' " + why;
  if (options.session.strict) {
    return complain(subject + ": it can't be recorded");
  }
  if (!options.session.quiet) {
    complain(subject + ": it can only be sampled from outside, where perf is allowed");
  }
  return 0;
}

std::string why_not_executed(int error, const std::string& name) {
  return error == ENOENT ? "cannot run '" + name + "': its interpreter or loader is missing"
                         : "cannot run '" + name + "': " + std::strerror(error);
}

struct Program {
  std::string path;
  std::string why_unrecordable;  // empty: it can be recorded
  std::string preload;           // the library to put into it; empty: it could not load ours
};

// Returns an exit code if the program is not to be run.
int find(const RunOptions& options, Program& program) {
  const std::string& name = options.command.front();
  const collector::FoundProgram found = collector::find_program(name, std::getenv("PATH"));
  if (found.path.empty()) {
    return complain("cannot find '" + name + "'", kNotFound);
  }
  if (!found.executable) {
    return complain("cannot run '" + name + "': it is not executable", kNotExecutable);
  }
  const collector::ProgramKind kind = collector::check_program(found.path);
  program.path = found.path;
  program.why_unrecordable = collector::why_unrecordable(kind);
  if (const int refused = check_recordable(options, program.why_unrecordable)) {
    return refused;
  }
  const std::string library = library_path();
  if (library.empty() || ::access(library.c_str(), R_OK) != 0) {
    return complain("cannot find libspyglass.so beside this program (SPYGLASS_LIBRARY names it)");
  }
  if (library.find_first_of(" :") != std::string::npos) {
    return complain("the loader takes no path with a space or colon: '" + library + "'");
  }
  const bool foreign =
      kind == collector::ProgramKind::kForeign || kind == collector::ProgramKind::k32Bit;
  program.preload = foreign ? "" : library;
  return 0;
}

// From the start of the program to the closed recording; returns the exit code.
int record(const RunOptions& options, const Program& program, collector::ChildProcess& child,
           RunSession& running) {
  running.supervisor().set_child(child.pid());
  running.collector().start();
  if (const int error = child.run()) {
    running.collector().finish(false);
    running.discard();
    return complain(why_not_executed(error, options.command.front()),
                    error == ENOENT ? kNotFound : kNotExecutable);
  }
  const bool recordable = program.why_unrecordable.empty();
  if (!recordable) {
    running.collector().coverage().add(program.path, program.why_unrecordable);
  }
  const bool whole = running.supervisor().supervise();
  const bool joined = running.supervisor().joined();
  if (recordable && !joined) {
    running.collector().coverage().add(program.path, "did not load libspyglass.so");
  }
  const collector::Summary summary = running.collector().finish(!whole);
  if (recordable && !options.session.quiet && !joined) {
    complain(
        "'" + options.command.front() +
        "' did not load libspyglass.so: it was only sampled from outside, where perf is allowed");
  }
  report(summary, options.session.quiet);
  return exit_like(running.supervisor().child_status().value_or(0));
}

int run_program(const RunOptions& options, const format::ClockSample& begin) {
  Program program;
  if (const int refused = find(options, program)) {
    return refused;
  }
  const std::string session_name = collector::random_session_name();
  Result<collector::SessionSocket> socket = collector::SessionSocket::listen(session_name);
  if (!socket) {
    return complain(socket.error().what);
  }
  const collector::InheritedState inherited;
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  Result<collector::ChildProcess> child = collector::ChildProcess::fork(
      options.command, child_environment(session_name, program.preload), inherited);
  if (!child) {
    return complain(child.error().what);
  }
  auto session =
      RunSession::open(options, begin, std::move(*socket), static_cast<std::uint32_t>(child->pid()),
                       options.command, inherited.handled_signals());
  if (!session) {
    return complain(session.error().what);
  }
  if (options.session.verbose) {
    complain("records process " + std::to_string(child->pid()) + " to " + (*session)->path() +
             " with " + (program.preload.empty() ? "no library" : program.preload));
  }
  return record(options, program, *child, **session);
}

// Started by the library in a program that runs on its own: no child, no word unless something
// fails.
int serve(const RunOptions& options, const format::ClockSample& begin) {
  collector::UniqueFd connection(options.serve_fd);
  ::fcntl(options.serve_fd, F_SETFD, FD_CLOEXEC);
  ucred peer = {};
  socklen_t peer_bytes = sizeof(peer);
  if (::getsockopt(options.serve_fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) != 0) {
    return complain("--serve-fd is no socket");
  }
  Result<collector::SessionSocket> socket = collector::SessionSocket::listen(options.serve_name);
  if (!socket) {
    return complain(socket.error().what);
  }
  const collector::InheritedState inherited;
  const auto pid = static_cast<std::uint32_t>(peer.pid);
  auto session = RunSession::open(options, begin, std::move(*socket), pid,
                                  collector::read_command(pid), inherited.handled_signals());
  if (!session) {
    return complain(session.error().what);
  }
  RunSession& running = **session;
  running.collector().start();
  running.supervisor().add_connection(std::move(connection));
  const bool whole = running.supervisor().supervise();
  report(running.collector().finish(!whole), !options.session.verbose);
  return 0;
}

}  // namespace
}  // namespace spyglass

int main(int argc, char** argv) {
  const spyglass::format::ClockSample begin = spyglass::collector::sample_clocks();
  int exit_code = 0;
  const std::optional<spyglass::RunOptions> options =
      spyglass::read_run_options(argc, argv, exit_code);
  if (!options) {
    return exit_code;
  }
  return options->serve_fd >= 0 ? spyglass::serve(*options, begin)
                                : spyglass::run_program(*options, begin);
}
