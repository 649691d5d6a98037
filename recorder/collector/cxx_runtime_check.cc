// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/cxx_runtime_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "recorder/collector/unique_fd.h"

namespace spyglass::collector {
namespace {

using namespace std::string_view_literals;

// What libstdc++ and libc++abi print before they abort.
constexpr std::array kLastWords = {"terminate called after throwing an instance of"sv,
                                   "libc++abi: "sv};
constexpr std::array kSharedRuntimes = {"libstdc++.so"sv, "libc++abi.so"sv};
constexpr std::size_t kLongestName = kLastWords[0].size();
constexpr std::size_t kChunk = std::size_t{1} << 20U;
constexpr off_t kLargestFile = off_t{1} << 29U;

bool has_any(std::string_view bytes, std::span<const std::string_view> names) {
  return std::ranges::any_of(names, [&](std::string_view name) { return bytes.contains(name); });
}

}  // namespace

bool has_own_cxx_runtime(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::vector<char> chunk(kChunk);
  bool speaks = false;
  for (off_t offset = 0; fd && offset < kLargestFile;) {
    const ssize_t got = ::pread(fd.get(), chunk.data(), chunk.size(), offset);
    const std::string_view bytes(chunk.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (has_any(bytes, kSharedRuntimes)) {
      return false;
    }
    speaks = speaks || has_any(bytes, kLastWords);
    if (bytes.size() < chunk.size()) {
      break;
    }
    // What lies across the end is looked at again.
    offset += static_cast<off_t>(chunk.size() - kLongestName);
  }
  return speaks;
}

}  // namespace spyglass::collector
