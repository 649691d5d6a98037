// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/proc_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <memory>
#include <sstream>
#include <string_view>

#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {
namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20U;  // of a command line

std::string proc_path(std::uint32_t pid, const std::string& name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

std::string read_small_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 4096> part = {};
  while (fd && text.size() < kMaxFileBytes) {
    const ssize_t got = ::read(fd.get(), part.data(), part.size());
    if (got <= 0) {
      break;
    }
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  return text;
}

// The numbers in `text`, up to the end of the line.
std::vector<std::uint32_t> numbers_of_line(std::string_view text) {
  std::vector<std::uint32_t> numbers;
  text = text.substr(0, text.find('\n'));
  while (true) {
    const std::size_t digit = text.find_first_of("0123456789");
    if (digit == std::string_view::npos) {
      return numbers;
    }
    text = text.substr(digit);
    std::uint32_t number = 0;
    const char* end = std::from_chars(text.data(), text.data() + text.size(), number).ptr;
    numbers.push_back(number);
    text = text.substr(static_cast<std::size_t>(end - text.data()));
  }
}

std::vector<std::uint32_t> status_numbers(std::string_view status, std::string_view key) {
  const std::size_t at = status.find("\n" + std::string(key) + ":");
  return at == std::string_view::npos ? std::vector<std::uint32_t>{}
                                      : numbers_of_line(status.substr(at + key.size() + 2));
}

std::optional<ProcStatus> parse_status(const std::string& text) {
  ProcStatus status;
  const std::vector<std::uint32_t> parents = status_numbers(text, "PPid");
  status.namespace_pids = status_numbers(text, "NSpid");
  if (parents.empty() || status.namespace_pids.empty()) {
    return std::nullopt;
  }
  status.ppid = parents.front();
  return status;
}

// Calls `visit` with each number in a directory of /proc until it returns true.
template <typename Visit>
void for_each_number(const std::string& path, const Visit& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir(path.c_str()), ::closedir);
  while (const dirent* entry = directory ? ::readdir(directory.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    std::uint32_t number = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), number).ec == std::errc() &&
        visit(number)) {
      return;
    }
  }
}

bool is_wanted(std::uint32_t pid, std::uint32_t inner_pid, std::uint32_t parent,
               std::uint32_t reaper) {
  const std::optional<ProcStatus> status = read_proc_status(pid);
  return status && status->namespace_pids.back() == inner_pid &&
         (status->ppid == parent || status->ppid == reaper);
}

}  // namespace

std::optional<ProcStatus> read_proc_status(std::uint32_t pid) {
  return parse_status(read_small_file(proc_path(pid, "status")));
}

std::vector<std::string> read_command(std::uint32_t pid) {
  const std::string text = read_small_file(proc_path(pid, "cmdline"));
  std::vector<std::string> command;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\0', at), text.size());
    command.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return command;
}

std::string read_executable(std::uint32_t pid) {
  std::array<char, 4096> target = {};
  const ssize_t bytes = ::readlink(proc_path(pid, "exe").c_str(), target.data(), target.size());
  return bytes > 0 ? std::string(target.data(), static_cast<std::size_t>(bytes)) : "";
}

std::optional<ThreadTimes> read_thread_times(std::uint32_t pid, std::uint32_t tid) {
  const std::string text =
      read_small_file(proc_path(pid, "task/" + std::to_string(tid) + "/schedstat"));
  const char* end = text.data() + text.size();
  ThreadTimes times;
  const auto [rest, error] = std::from_chars(text.data(), end, times.cpu_ns);
  if (error != std::errc()) {
    return std::nullopt;
  }
  if (rest != end) {
    std::from_chars(rest + 1, end, times.runnable_ns);
  }
  return times;
}

std::string read_thread_name(std::uint32_t pid, std::uint32_t tid) {
  std::string name = read_small_file(proc_path(pid, "task/" + std::to_string(tid) + "/comm"));
  if (!name.empty() && name.back() == '\n') {
    name.pop_back();
  }
  return name;
}

std::optional<std::uint64_t> read_process_cpu_ns(std::uint32_t pid) {
  clockid_t clock = 0;
  timespec now = {};
  if (::clock_getcpuclockid(static_cast<pid_t>(pid), &clock) != 0 ||
      ::clock_gettime(clock, &now) != 0) {
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

std::size_t count_threads(std::uint32_t pid) {
  std::size_t count = 0;
  for_each_number(proc_path(pid, "task"), [&](std::uint32_t) {
    count += 1;
    return false;
  });
  return count;
}

std::vector<ProcMapping> read_code_mappings(std::uint32_t pid) {
  std::vector<ProcMapping> mappings;
  std::istringstream lines(read_small_file(proc_path(pid, "maps")));
  for (std::string line; std::getline(lines, line);) {
    // start-end rwxp offset major:minor inode   path
    ProcMapping mapping;
    std::array<char, 5> access = {};
    int path_at = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx %4s %lx %*x:%*x %lu %n", &mapping.start, &mapping.end,
                    access.data(), &mapping.file_offset, &mapping.inode, &path_at) == 5 &&
        access[2] == 'x') {
      mapping.path = line.substr(static_cast<std::size_t>(path_at));
      mappings.push_back(std::move(mapping));
    }
  }
  return mappings;
}

std::optional<bool> has_variable(std::uint32_t pid, const std::string& variable) {
  const std::string text = read_small_file(proc_path(pid, "environ"));
  if (text.empty()) {
    return std::nullopt;
  }
  return text.starts_with(variable + "=") ||
         text.find(std::string(1, '\0') + variable + "=") != std::string::npos;
}

std::optional<std::uint64_t> read_resident_bytes(std::uint32_t pid) {
  // In pages: all, resident ...
  const std::vector<std::uint32_t> pages =
      numbers_of_line(read_small_file(proc_path(pid, "statm")));
  if (pages.size() < 2) {
    return std::nullopt;
  }
  return std::uint64_t{pages[1]} * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<int> read_zombie_status(std::uint32_t pid) {
  const std::string text = read_small_file(proc_path(pid, "stat"));
  // The name in parentheses may hold anything, so fields are counted from the last one.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || text.compare(name_end, 3, ") Z") != 0) {
    return std::nullopt;
  }
  const std::size_t last_space = text.find_last_of(' ');
  const std::vector<std::uint32_t> fields = numbers_of_line(text.substr(last_space));
  return fields.empty() ? std::nullopt : std::optional<int>(static_cast<int>(fields.front()));
}

std::uint32_t find_outer_pid(std::uint32_t inner_pid, std::uint32_t parent, std::uint32_t reaper,
                             bool other_namespace) {
  if (!other_namespace) {
    return is_wanted(inner_pid, inner_pid, parent, reaper) ? inner_pid : 0;
  }
  std::uint32_t found = 0;
  for_each_number("/proc", [&](std::uint32_t pid) {
    found = is_wanted(pid, inner_pid, parent, reaper) ? pid : 0;
    return found != 0;
  });
  return found;
}

std::uint32_t find_outer_tid(std::uint32_t pid, std::uint32_t inner_tid) {
  std::uint32_t found = 0;
  for_each_number(proc_path(pid, "task"), [&](std::uint32_t tid) {
    const std::optional<ProcStatus> status =
        parse_status(read_small_file(proc_path(pid, "task/" + std::to_string(tid) + "/status")));
    found = status && status->namespace_pids.back() == inner_tid ? tid : 0;
    return found != 0;
  });
  return found;
}

}  // namespace spyglass::collector
