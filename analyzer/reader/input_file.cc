// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace spyglass {
namespace {

// System messages begin with a capital; ours are one sentence after a colon.
std::string reason_of(int error) {
  std::string reason = std::strerror(error);
  if (!reason.empty() && reason[0] >= 'A' && reason[0] <= 'Z') {
    reason[0] = static_cast<char>(reason[0] - 'A' + 'a');
  }
  return reason;
}

Error cannot_open(const std::string& path, const std::string& reason) {
  return {ErrorKind::kSystem, "cannot open '" + path + "': " + reason};
}

}  // namespace

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      bytes_(other.bytes_),
      memory_(other.memory_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  bytes_ = other.bytes_;
  memory_ = other.memory_;
  return *this;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

Result<InputFile> InputFile::open(const std::string& path) {
  InputFile file;
  // Non-blocking, so that a named pipe is refused below and not waited for.
  file.descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.descriptor_ < 0) {
    return cannot_open(path, reason_of(errno));
  }
  struct stat status {};
  if (::fstat(file.descriptor_, &status) != 0) {
    return cannot_open(path, reason_of(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return cannot_open(path, "not a regular file");
  }
  file.bytes_ = static_cast<std::uint64_t>(status.st_size);
  return file;
}

InputFile InputFile::from_bytes(std::span<const std::uint8_t> bytes) {
  InputFile file;
  file.memory_ = bytes;
  file.bytes_ = bytes.size();
  return file;
}

std::size_t InputFile::read(std::uint64_t offset, std::span<std::uint8_t> out) const {
  if (offset >= bytes_) {
    return 0;
  }
  const auto wanted =
      static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), bytes_ - offset));
  if (descriptor_ < 0) {
    std::copy_n(memory_.begin() + static_cast<std::ptrdiff_t>(offset), wanted, out.begin());
    return wanted;
  }
  std::size_t done = 0;
  while (done < wanted) {
    const ssize_t got =
        ::pread(descriptor_, out.data() + done, wanted - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace spyglass
