// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sgz_writer.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "format/block.h"

namespace spyglass::collector {
namespace {

constexpr std::uint64_t kClosingBytes = 256U << 10U;  // kept for the blocks of the end
constexpr std::uint64_t kReserveStep = 1U << 20U;
constexpr std::uint64_t kFirstReserve = 32U << 10U;  // enough for a short recording, cheap on tmpfs
constexpr std::size_t kMaxIndexEntries = format::kMaxRawBytes / sizeof(format::IndexEntry);

std::string why(int error) {
  switch (error) {
    case ENOSPC:
    case EDQUOT:
      return "disk full";
    case EFBIG:
      return "file size limit";
    default:
      return std::strerror(error);
  }
}

std::span<const std::uint8_t> bytes_of(const auto& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)};
}

}  // namespace

SgzWriter::SgzWriter(UniqueFd fd, std::string path, const format::FileHeader& header)
    : fd_(std::move(fd)),
      path_(std::move(path)),
      seed_(format::block_seed(header)),
      compressor_(std::make_unique<format::Compressor>()) {}

Result<SgzWriter> SgzWriter::create(const std::string& path, bool replace,
                                    std::uint64_t started_unix_ns) {
  struct stat info = {};
  if (replace && ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) {
    ::unlink(path.c_str());
  }
  UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (!fd) {
    const std::string reason = errno == EEXIST ? "it exists (use --force to replace it)"
                                               : std::string(std::strerror(errno));
    return Error{ErrorKind::kSystem, "cannot create '" + path + "': " + reason};
  }
  ::fchmod(fd.get(), S_IRUSR | S_IWUSR);  // whatever the umask
  std::array<std::uint8_t, 16> uuid = {};
  if (::getrandom(uuid.data(), uuid.size(), 0) != static_cast<ssize_t>(uuid.size())) {
    return Error{ErrorKind::kSystem, "no random numbers from the kernel"};
  }
  uuid[6] = static_cast<std::uint8_t>((uuid[6] & 0x0fU) | 0x40U);  // version 4
  uuid[8] = static_cast<std::uint8_t>((uuid[8] & 0x3fU) | 0x80U);
  const format::FileHeader header = format::seal_file_header(uuid, started_unix_ns);
  SgzWriter writer(std::move(fd), path, header);
  if (!writer.write_all(bytes_of(header))) {
    ::unlink(path.c_str());
    return Error{ErrorKind::kSystem, "cannot write '" + path + "': " + writer.failure()};
  }
  return writer;
}

void SgzWriter::fail(int error) {
  failure_ = why(error);
  // Blocks must stay adjacent and whole.
  if (::ftruncate(fd_.get(), static_cast<off_t>(offset_)) == 0) {
    reserved_bytes_ = 0;
  }
}

// False when the space that is kept for the end would be touched.
bool SgzWriter::reserve(std::uint64_t bytes) {
  const std::uint64_t needed = offset_ + bytes + (closing_ ? 0 : kClosingBytes);
  if (!can_reserve_ || needed <= reserved_bytes_ || closing_) {
    return true;
  }
  const std::uint64_t step = offset_ < kFirstReserve ? 0 : kReserveStep;
  const std::uint64_t wanted = needed + step;
  if (offset_ < kFirstReserve && bytes < kFirstReserve) {
    return true;
  }
  for (const std::uint64_t bytes_ahead : {wanted, needed}) {
    if (::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes_ahead)) == 0) {
      reserved_bytes_ = bytes_ahead;
      return true;
    }
  }
  if (errno == ENOSPC || errno == EDQUOT) {
    failure_ = why(errno);
    return false;
  }
  can_reserve_ = errno == EINTR;  // not every file system can
  return true;
}

bool SgzWriter::write_all(std::span<const std::uint8_t> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t wrote = ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                                   static_cast<off_t>(offset_ + done));
    if (wrote > 0) {
      done += static_cast<std::size_t>(wrote);
    } else if (wrote == 0 || errno != EINTR) {
      fail(wrote == 0 ? ENOSPC : errno);
      return false;
    }
  }
  offset_ += bytes.size();
  return true;
}

bool SgzWriter::append(const BlockContent& content) {
  format::BlockFields fields;
  fields.kind = content.kind;
  fields.codec = compressor_->compress(content.raw, content.codec, stored_);
  fields.raw_bytes = static_cast<std::uint32_t>(content.raw.size());
  fields.sequence = sequence_;
  fields.thread = content.thread;
  fields.records = content.records;
  fields.first_ticks = content.first_ticks;
  fields.last_ticks = content.last_ticks;
  sealed_.clear();
  format::seal_block(fields, stored_, seed_, sealed_);
  const std::uint64_t start = offset_;
  if (content.raw.size() > format::kMaxRawBytes || !reserve(sealed_.size()) ||
      !write_all(sealed_)) {
    failed_blocks_ += 1;
    return false;
  }
  sequence_ += 1;
  index_.push_back({start,
                    content.first_ticks,
                    content.last_ticks,
                    content.thread,
                    content.records,
                    content.kind,
                    {}});
  return true;
}

bool SgzWriter::close() {
  closing_ = true;
  const std::uint64_t index_offset = offset_;
  std::vector<std::uint8_t> raw;
  if (index_.size() > kMaxIndexEntries) {
    index_.clear();  // readers do without
  }
  format::encode_index(index_, raw);
  BlockContent content;
  content.kind = format::BlockKind::kIndex;
  content.raw = raw;
  content.records = static_cast<std::uint32_t>(index_.size());
  const bool indexed = append(content);
  const bool finished =
      indexed && write_all(bytes_of(format::seal_footer(index_offset, sequence_, seed_)));
  ::ftruncate(fd_.get(), static_cast<off_t>(offset_));  // gives back what was reserved
  return finished;
}

}  // namespace spyglass::collector
