// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/launch_collector.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "recorder/runtime/modules.h"
#include "recorder/runtime/syscalls.h"

extern char** environ;  // NOLINT: POSIX has it so

namespace spyglass::runtime {
namespace {

constexpr std::size_t kPathBytes = 4096;
constexpr char kCollector[] = "../../bin/spyglass-run";  // from the library's folder
constexpr char kDigits[] = "0123456789abcdef";

void complain(const char* text) { kernel(SYS_write, 2, text, std::strlen(text)); }

// Path of spyglass-run: SPYGLASS_RUN, or beside this library as installed.
bool collector_path(char (&out)[kPathBytes]) {
  if (const char* given = secure_getenv("SPYGLASS_RUN")) {
    const std::size_t bytes = strnlen(given, kPathBytes);
    if (bytes >= kPathBytes) {
      return false;
    }
    std::memcpy(out, given, bytes + 1);
    return true;
  }
  std::size_t folder = own_path(out, kPathBytes - sizeof(kCollector));
  while (folder > 0 && out[folder - 1] != '/') {
    --folder;
  }
  std::memcpy(out + folder, kCollector, sizeof(kCollector));
  return true;
}

// A name that nobody guesses: "spyglass-" and 32 hex digits.
void make_name(char (&out)[64]) {
  std::uint8_t random[16] = {};
  kernel(SYS_getrandom, random, sizeof(random), 0);
  constexpr char kPrefix[] = "spyglass-";
  std::memcpy(out, kPrefix, sizeof(kPrefix) - 1);
  char* at = out + sizeof(kPrefix) - 1;
  for (const std::uint8_t byte : random) {
    *at++ = kDigits[byte >> 4U];
    *at++ = kDigits[byte & 15U];
  }
  *at = '\0';
}

// Takes LD_PRELOAD out of the environment: what the program preloads, us included, has no business
// in the collector. In a forked child, whose copy of the environment nobody else sees.
void drop_preloads() {
  constexpr char kPreload[] = "LD_PRELOAD=";
  constexpr std::size_t kBytes = sizeof(kPreload) - 1;
  char** kept = environ;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strnlen(*entry, kBytes) < kBytes || std::memcmp(*entry, kPreload, kBytes) != 0) {
      *kept++ = *entry;
    }
  }
  *kept = nullptr;
}

[[noreturn]] void exec_collector(char* path, char* name_option, long descriptor,
                                 const std::uint64_t& old_mask) {
  constexpr long kServeDescriptor = 3;
  char serve_option[] = "--serve-fd=3";
  kernel(SYS_setsid);  // signals from the terminal are the program's
  if (descriptor == kServeDescriptor) {
    kernel(SYS_fcntl, descriptor, 2 /* F_SETFD */, 0);
  } else {
    kernel(SYS_dup3, descriptor, kServeDescriptor, 0);
  }
  kernel(SYS_rt_sigprocmask, SIG_SETMASK, &old_mask, nullptr, sizeof(old_mask));
  drop_preloads();
  char* const arguments[] = {path, serve_option, name_option, nullptr};
  kernel(SYS_execve, path, arguments, environ);
  complain("spyglass: recording off: cannot run spyglass-run (SPYGLASS_RUN names it)\n");
  kernel(SYS_exit_group, 127);
  __builtin_unreachable();
}

}  // namespace

long launch_collector() {
  static char path[kPathBytes];
  static char option[80] = "--serve-name=";
  char name[64];
  int pair[2] = {-1, -1};
  if (!collector_path(path) ||
      kernel(SYS_socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    return -1;
  }
  make_name(name);
  std::memcpy(option + std::strlen(option), name, std::strlen(name) + 1);
  setenv("SPYGLASS_SESSION", name, 1);  // NOLINT: in a constructor, before other threads

  // The system call itself, not fork(): no handler of the program's may run here.
  const std::uint64_t all_signals = ~std::uint64_t{0};
  std::uint64_t old_mask = 0;
  kernel(SYS_rt_sigprocmask, SIG_BLOCK, &all_signals, &old_mask, sizeof(all_signals));
  const long child = kernel(SYS_fork);
  if (child == 0) {
    if (kernel(SYS_fork) == 0) {
      exec_collector(path, option, pair[1], old_mask);
    }
    kernel(SYS_exit_group, 0);
  }
  if (child > 0) {
    kernel(SYS_wait4, child, 0, 0, 0);
  }
  kernel(SYS_rt_sigprocmask, SIG_SETMASK, &old_mask, nullptr, sizeof(old_mask));
  kernel(SYS_close, pair[1]);
  if (child < 0) {
    kernel(SYS_close, pair[0]);
    return -1;
  }
  return pair[0];
}

}  // namespace spyglass::runtime
