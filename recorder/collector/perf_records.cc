// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/perf_records.h"

#include <linux/perf_event.h>

#include <algorithm>
#include <cstring>

namespace spyglass::collector {
namespace {

constexpr std::size_t kTrailerBytes = 16;          // sample_id: pid, tid, time
constexpr std::size_t kSampleTimeAt = 24;          // header, ip, pid, tid
constexpr std::uint64_t kAbi64 = 2;                // PERF_SAMPLE_REGS_ABI_64
constexpr std::uint16_t kWithBuildId = 1U << 14U;  // PERF_RECORD_MISC_MMAP_BUILD_ID
constexpr std::size_t kMaxBuildIdBytes = 20;

// Takes values from the front. Past the end it gives zeros and remembers.
class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> bytes) : rest_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    if (const auto from = take_bytes(sizeof(T)); !from.empty()) {
      std::memcpy(&value, from.data(), sizeof(T));
    }
    return value;
  }
  std::span<const std::uint8_t> take_bytes(std::uint64_t count) {
    if (count > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const auto taken = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(static_cast<std::size_t>(count));
    return taken;
  }
  std::string_view take_text() {
    const std::string_view all(reinterpret_cast<const char*>(rest_.data()), rest_.size());
    const std::string_view text = all.substr(0, all.find('\0'));
    rest_ = {};
    return text;
  }
  bool good() const { return good_; }

 private:
  std::span<const std::uint8_t> rest_;
  bool good_ = true;
};

perf_event_header header_of(std::span<const std::uint8_t> bytes) {
  perf_event_header header = {};
  if (bytes.size() >= sizeof(header)) {
    std::memcpy(&header, bytes.data(), sizeof(header));
  }
  return header;
}

PerfSample parse_sample(Cursor& cursor) {
  PerfSample sample;
  sample.ip = cursor.take<std::uint64_t>();
  sample.pid = cursor.take<std::uint32_t>();
  sample.tid = cursor.take<std::uint32_t>();
  cursor.take<std::uint64_t>();  // time
  const auto abi = cursor.take<std::uint64_t>();
  if (abi != 0) {
    sample.registers = cursor.take<PerfRegisters>();
  }
  sample.has_registers = abi == kAbi64;
  const auto room = cursor.take<std::uint64_t>();
  if (room != 0) {
    const auto stack = cursor.take_bytes(room);
    const auto copied = cursor.take<std::uint64_t>();
    sample.stack =
        stack.first(static_cast<std::size_t>(std::min<std::uint64_t>(copied, stack.size())));
  }
  return sample;
}

PerfMapping parse_mapping(Cursor& cursor, std::uint16_t misc) {
  PerfMapping mapping;
  mapping.pid = cursor.take<std::uint32_t>();
  cursor.take<std::uint32_t>();  // tid
  mapping.start = cursor.take<std::uint64_t>();
  mapping.bytes = cursor.take<std::uint64_t>();
  mapping.file_offset = cursor.take<std::uint64_t>();
  const auto identity = cursor.take_bytes(24);
  if ((misc & kWithBuildId) != 0 && !identity.empty()) {
    const std::size_t bytes = std::min<std::size_t>(identity[0], kMaxBuildIdBytes);
    mapping.build_id = identity.subspan(4, bytes);
  } else if (!identity.empty()) {
    std::memcpy(&mapping.inode, identity.data() + 8, sizeof(mapping.inode));
  }
  cursor.take<std::uint64_t>();  // protection, flags
  mapping.path = cursor.take_text();
  return mapping;
}

PerfName parse_name(Cursor& cursor, std::uint16_t misc) {
  PerfName name;
  name.pid = cursor.take<std::uint32_t>();
  name.tid = cursor.take<std::uint32_t>();
  name.exec = (misc & PERF_RECORD_MISC_COMM_EXEC) != 0;
  name.name = cursor.take_text();
  return name;
}

struct Task {
  std::uint32_t pid;
  std::uint32_t parent_pid;
  std::uint32_t tid;
  std::uint32_t parent_tid;
};

}  // namespace

std::uint64_t perf_record_time(std::span<const std::uint8_t> bytes) {
  const perf_event_header header = header_of(bytes);
  const std::size_t at =
      header.type == PERF_RECORD_SAMPLE ? kSampleTimeAt : bytes.size() - sizeof(std::uint64_t);
  std::uint64_t time_ns = 0;
  if (bytes.size() >= sizeof(header) + kTrailerBytes && at + sizeof(time_ns) <= bytes.size()) {
    std::memcpy(&time_ns, bytes.data() + at, sizeof(time_ns));
  }
  return time_ns;
}

PerfRecord parse_perf_record(std::span<const std::uint8_t> bytes) {
  PerfRecord record;
  if (bytes.size() < sizeof(perf_event_header) + kTrailerBytes) {
    return record;
  }
  record.time_ns = perf_record_time(bytes);
  const perf_event_header header = header_of(bytes);
  auto body = bytes.subspan(sizeof(header));
  if (header.type != PERF_RECORD_SAMPLE) {
    body = body.first(body.size() - kTrailerBytes);
  }
  Cursor cursor(body);
  switch (header.type) {
    case PERF_RECORD_SAMPLE:
      record.content = parse_sample(cursor);
      break;
    case PERF_RECORD_MMAP2:
      record.content = parse_mapping(cursor, header.misc);
      break;
    case PERF_RECORD_COMM:
      record.content = parse_name(cursor, header.misc);
      break;
    case PERF_RECORD_FORK:
    case PERF_RECORD_EXIT: {
      const auto task = cursor.take<Task>();
      if (header.type == PERF_RECORD_FORK) {
        record.content = PerfFork{task.pid, task.parent_pid, task.tid};
      } else {
        record.content = PerfExit{task.pid, task.tid};
      }
      break;
    }
    case PERF_RECORD_LOST:
      cursor.take<std::uint64_t>();  // the event's id
      record.content = PerfLost{cursor.take<std::uint64_t>()};
      break;
    case PERF_RECORD_LOST_SAMPLES:
      record.content = PerfLost{cursor.take<std::uint64_t>()};
      break;
    case PERF_RECORD_THROTTLE:
      record.content = PerfThrottle{};
      break;
    default:
      break;
  }
  if (!cursor.good()) {
    record.content = PerfNothing{};
  }
  return record;
}

}  // namespace spyglass::collector
