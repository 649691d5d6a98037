// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/elf_check.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string_view>

#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {
namespace {

constexpr int kInterpreterHops = 4;  // as many as the kernel follows
constexpr std::size_t kMaxProgramHeaders = 256;

#if defined(__x86_64__)
constexpr Elf64_Half kOwnMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kOwnMachine = EM_AARCH64;
#endif

bool is_runnable_file(const std::string& path, bool& exists) {
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0 || S_ISDIR(info.st_mode)) {
    return false;
  }
  exists = true;
  return ::access(path.c_str(), X_OK) == 0;
}

bool gains_privileges(int fd) {
  struct stat info = {};
  if (::fstat(fd, &info) != 0) {
    return false;
  }
  if (((info.st_mode & S_ISUID) != 0 && info.st_uid != ::getuid()) ||
      ((info.st_mode & S_ISGID) != 0 && (info.st_mode & S_IXGRP) != 0 &&
       info.st_gid != ::getgid())) {
    return true;
  }
  return ::getuid() != 0 && ::fgetxattr(fd, "security.capability", nullptr, 0) > 0;
}

bool has_interpreter(int fd, const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr)) {
    return false;
  }
  const std::size_t count = std::min<std::size_t>(header.e_phnum, kMaxProgramHeaders);
  for (std::size_t index = 0; index < count; ++index) {
    Elf64_Phdr segment = {};
    const auto offset = static_cast<off_t>(header.e_phoff + index * sizeof(segment));
    if (::pread(fd, &segment, sizeof(segment), offset) != static_cast<ssize_t>(sizeof(segment))) {
      return false;
    }
    if (segment.p_type == PT_INTERP) {
      return true;
    }
  }
  return false;
}

std::string interpreter_of(std::string_view first_bytes) {
  std::string_view line = first_bytes.substr(2);
  line = line.substr(0, line.find('\n'));
  const std::size_t begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) {
    return "";
  }
  line = line.substr(begin);
  return std::string(line.substr(0, line.find_first_of(" \t\r")));
}

ProgramKind check_elf(int fd, const char* start, std::size_t bytes) {
  Elf64_Ehdr header = {};
  if (bytes < sizeof(header)) {
    return ProgramKind::kUnknown;
  }
  std::memcpy(&header, start, sizeof(header));
  if (header.e_ident[EI_CLASS] == ELFCLASS32) {
    return ProgramKind::k32Bit;
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kOwnMachine) {
    return ProgramKind::kForeign;
  }
  return has_interpreter(fd, header) ? ProgramKind::kRecordable : ProgramKind::kStatic;
}

}  // namespace

FoundProgram find_program(const std::string& name, const char* search_path) {
  FoundProgram found;
  bool exists = false;
  if (name.find('/') != std::string::npos) {
    found.executable = is_runnable_file(name, exists);
    found.path = exists || ::access(name.c_str(), F_OK) == 0 ? name : "";
    return found;
  }
  std::string_view rest = search_path != nullptr ? search_path : "/bin:/usr/bin";
  while (!name.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string_view directory = rest.substr(0, colon);
    const std::string candidate = directory.empty() ? name : std::string(directory) + "/" + name;
    exists = false;
    if (is_runnable_file(candidate, exists)) {
      return {candidate, true};
    }
    if (exists && found.path.empty()) {
      found.path = candidate;
    }
    if (colon == std::string_view::npos) {
      break;
    }
    rest = rest.substr(colon + 1);
  }
  return found;
}

ProgramKind check_program(const std::string& path) {
  std::string current = path;
  for (int hop = 0; hop < kInterpreterHops; ++hop) {
    const UniqueFd fd(::open(current.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd) {
      return ProgramKind::kUnknown;
    }
    std::array<char, 256> start = {};
    const ssize_t got = ::pread(fd.get(), start.data(), start.size(), 0);
    const std::string_view bytes(start.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    if (bytes.substr(0, 2) == "#!") {
      current = interpreter_of(bytes);
      continue;
    }
    if (bytes.substr(0, SELFMAG) != ELFMAG) {
      return ProgramKind::kUnknown;
    }
    return gains_privileges(fd.get()) ? ProgramKind::kSetuid
                                      : check_elf(fd.get(), bytes.data(), bytes.size());
  }
  return ProgramKind::kUnknown;
}

std::string why_unrecordable(ProgramKind kind) {
  switch (kind) {
    case ProgramKind::kStatic:
      return "is statically linked";
    case ProgramKind::kForeign:
      return "is a program for another machine";
    case ProgramKind::k32Bit:
      return "is a 32-bit program";
    case ProgramKind::kSetuid:
      return "runs with other privileges (setuid, setgid or file capabilities)";
    case ProgramKind::kRecordable:
    case ProgramKind::kUnknown:
      break;
  }
  return "";
}

}  // namespace spyglass::collector
