// SPDX-License-Identifier: Apache-2.0
#include "symbols/perf_map.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <utility>

namespace spyglass {
namespace {

constexpr std::string_view kPrefix = "/tmp/perf-";
constexpr std::string_view kSuffix = ".map";
constexpr std::size_t kMaxNameBytes = 1024;

// Takes a hexadecimal number and the blank behind it off the front of `line`.
bool take_number(std::string_view& line, std::uint64_t& value) {
  if (line.starts_with("0x")) {
    line.remove_prefix(2);
  }
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value, 16);
  const auto used = static_cast<std::size_t>(end - line.data());
  if (error != std::errc() || used >= line.size() || line[used] != ' ') {
    return false;
  }
  line.remove_prefix(used + 1);
  return true;
}

bool read_all(int descriptor, std::string& text) {
  std::size_t size = 0;
  while (size < kMaxMapBytes) {
    text.resize(std::min(kMaxMapBytes, size + (1U << 20U)));
    const ssize_t got = ::read(descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      text.resize(size);
      return got == 0;
    }
    size += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

std::string perf_map_path(std::uint32_t pid) {
  return std::string(kPrefix) + std::to_string(pid) + std::string(kSuffix);
}

bool is_perf_map_path(const std::string& path) {
  if (!path.starts_with(kPrefix) || !path.ends_with(kSuffix) ||
      path.size() <= kPrefix.size() + kSuffix.size()) {
    return false;
  }
  return std::all_of(path.begin() + kPrefix.size(), path.end() - kSuffix.size(),
                     [](char c) { return c >= '0' && c <= '9'; });
}

Result<PerfMap> PerfMap::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
  if (descriptor < 0) {
    return Error{ErrorKind::kSystem, "cannot open '" + path + "': " + std::strerror(errno)};
  }
  struct stat status {};
  const bool sound = fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) &&
                     (status.st_uid == geteuid() || geteuid() == 0);
  std::string text;
  const bool complete = sound && read_all(descriptor, text);
  close(descriptor);
  if (!complete) {
    return Error{ErrorKind::kSystem, "cannot read '" + path + "'"};
  }
  PerfMap map;
  map.parse(text);
  return map;
}

void PerfMap::parse(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    std::uint64_t start = 0;
    std::uint64_t size = 0;
    if (take_number(line, start) && take_number(line, size) && !line.empty() && size != 0 &&
        start + size > start) {
      entries_.push_back({start, start + size, std::string(line.substr(0, kMaxNameBytes))});
    }
  }
  std::ranges::stable_sort(entries_, {}, &Entry::start);
}

const std::string* PerfMap::find(std::uint64_t address) const {
  auto after = std::ranges::upper_bound(entries_, address, {}, &Entry::start);
  // Code is replaced in place; a hostile file must not make this a scan.
  constexpr int kOverlapSearch = 16;
  for (int i = 0; i < kOverlapSearch && after != entries_.begin(); ++i) {
    --after;
    if (address < after->end) {
      return &after->name;
    }
  }
  return nullptr;
}

}  // namespace spyglass
