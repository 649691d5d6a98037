// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

#include "recorder/collector/proc_files.h"

namespace spyglass::collector {
namespace {

constexpr int kRoundMs = 100;
// A record is in its ring this long after the time it bears, or earlier.
constexpr std::uint64_t kSlackNs = 2'000'000;
constexpr std::size_t kReleaseEvery = 32;  // records
constexpr std::string_view kLibrary = "/libspyglass.so";

std::uint64_t monotonic_ns() {
  timespec now = {};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
         static_cast<std::uint64_t>(now.tv_nsec);
}

template <typename T>
void append(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

SampleReader::SampleReader(PerfEvents events, std::size_t max_frames, std::uint32_t running)
    : rings_(std::move(events.rings)),
      hung_up_(rings_.size()),
      unwinder_(images_, max_frames, events.stack_bytes),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (running != 0) {
    map_running(running);
  }
}

SampleReader::~SampleReader() { stop(); }

void SampleReader::start() {
  thread_ = std::thread([this] { run(); });
}

void SampleReader::stop() {
  if (thread_.joinable()) {
    stopping_ = true;
    ::eventfd_write(wake_.get(), 1);
    thread_.join();
  }
}

std::optional<SampleBatch> SampleReader::receive() {
  if (!has_ready_.load(std::memory_order_relaxed)) {
    return std::nullopt;
  }
  const std::lock_guard lock(mutex_);
  has_ready_ = false;
  return std::exchange(ready_, std::nullopt);
}

void SampleReader::run() {
  ::prctl(PR_SET_NAME, "samples");
  while (!stopping_) {
    wait_for_records();
    read_rings(monotonic_ns() - kSlackNs);
  }
  read_rings(~std::uint64_t{0});
}

void SampleReader::wait_for_records() {
  std::vector<pollfd> descriptors = {{wake_.get(), POLLIN, 0}};
  for (std::size_t index = 0; index < rings_.size(); ++index) {
    descriptors.push_back({hung_up_[index] ? -1 : rings_[index].fd(), POLLIN, 0});
  }
  ::poll(descriptors.data(), descriptors.size(), kRoundMs);
  for (std::size_t index = 0; index < rings_.size(); ++index) {
    hung_up_[index] =
        hung_up_[index] || (descriptors[index + 1].revents & (POLLHUP | POLLERR)) != 0;
  }
}

// The ring whose next record comes next in time; null: none does up to `limit_ns`.
PerfRing* SampleReader::oldest_ring(std::uint64_t limit_ns) {
  PerfRing* oldest = nullptr;
  std::uint64_t oldest_ns = limit_ns;
  for (PerfRing& ring : rings_) {
    const std::span<const std::uint8_t> front = ring.front();
    const std::uint64_t time_ns = front.empty() ? limit_ns : perf_record_time(front);
    if (!front.empty() && (time_ns < oldest_ns || (oldest == nullptr && time_ns <= limit_ns))) {
      oldest = &ring;
      oldest_ns = time_ns;
    }
  }
  return oldest;
}

void SampleReader::read_rings(std::uint64_t limit_ns) {
  for (PerfRing& ring : rings_) {
    ring.refresh();
  }
  std::size_t taken = 0;
  while (PerfRing* ring = oldest_ring(limit_ns)) {
    take(parse_perf_record(ring->front()));
    ring->pop();
    if (++taken % kReleaseEvery == 0) {
      ring->release();
    }
  }
  for (PerfRing& ring : rings_) {
    ring.release();
  }
  hand_over(limit_ns);
}

void SampleReader::take(const PerfRecord& record) {
  const std::uint64_t time_ns = record.time_ns;
  if (const auto* sample = std::get_if<PerfSample>(&record.content)) {
    take_sample(time_ns, *sample);
  } else if (const auto* mapping = std::get_if<PerfMapping>(&record.content)) {
    take_mapping(time_ns, *mapping);
  } else if (const auto* name = std::get_if<PerfName>(&record.content)) {
    take_name(time_ns, *name);
  } else if (const auto* fork = std::get_if<PerfFork>(&record.content)) {
    take_fork(time_ns, *fork);
  } else if (const auto* exit = std::get_if<PerfExit>(&record.content)) {
    take_exit(time_ns, *exit);
  } else if (const auto* lost = std::get_if<PerfLost>(&record.content)) {
    batch_.lost_records += lost->records;
  } else if (std::holds_alternative<PerfThrottle>(record.content)) {
    batch_.throttled += 1;
  }
}

void SampleReader::take_sample(std::uint64_t time_ns, const PerfSample& sample) {
  const SampledStack& stack = unwinder_.unwind(sample, spaces_.of(sample.pid));
  const auto [node, shortened] = tree_.place_of(stack, batch_.nodes);
  batch_.samples.push_back({time_ns, sample.pid, sample.tid, node, stack.end, shortened});
}

void SampleReader::take_mapping(std::uint64_t time_ns, const PerfMapping& mapping) {
  MappedFile file;
  file.path = mapping.path;
  file.build_id.assign(mapping.build_id.begin(), mapping.build_id.end());
  file.inode = mapping.inode;
  file.pid = mapping.pid;
  const std::uint64_t room = ~std::uint64_t{0} - mapping.start;
  spaces_.of(mapping.pid)
      .map({mapping.start, mapping.start + std::min(mapping.bytes, room), mapping.file_offset,
            images_.index_of(file)});
  if (mapping.path.starts_with('/') && new_programs_.erase(mapping.pid) != 0) {
    batch_.tasks.push_back(
        {time_ns, TaskChange::kExecutable, mapping.pid, mapping.pid, 0, file.path});
  } else if (mapping.path.ends_with(kLibrary)) {
    batch_.tasks.push_back({time_ns, TaskChange::kLibrary, mapping.pid, mapping.pid, 0, {}});
  }
}

void SampleReader::take_name(std::uint64_t time_ns, const PerfName& name) {
  if (name.exec) {
    spaces_.exec(name.pid);
    unwinder_.forget(name.pid);
    new_programs_[name.pid] = true;
  }
  batch_.tasks.push_back({time_ns, name.exec ? TaskChange::kExec : TaskChange::kName, name.pid,
                          name.tid, 0, std::string(name.name)});
}

void SampleReader::take_fork(std::uint64_t time_ns, const PerfFork& fork) {
  if (fork.pid != fork.parent_pid) {
    spaces_.fork(fork.parent_pid, fork.pid);
    batch_.tasks.push_back({time_ns, TaskChange::kFork, fork.pid, fork.tid, fork.parent_pid, {}});
  } else {
    threads_.try_emplace(fork.pid, 1).first->second += 1;
  }
}

void SampleReader::take_exit(std::uint64_t time_ns, const PerfExit& exit) {
  unwinder_.forget(exit.tid);
  batch_.tasks.push_back({time_ns, TaskChange::kExit, exit.pid, exit.tid, 0, {}});
  // A process lives until its last thread has ended.
  const auto more = threads_.find(exit.pid);
  if (more == threads_.end()) {
    batch_.tasks.push_back({time_ns, TaskChange::kEnd, exit.pid, exit.tid, 0, {}});
    spaces_.exit(exit.pid);
    new_programs_.erase(exit.pid);
  } else if (--more->second <= 1) {
    threads_.erase(more);
  }
}

void SampleReader::map_running(std::uint32_t pid) {
  const std::uint64_t now_ns = monotonic_ns();
  for (const ProcMapping& mapping : read_code_mappings(pid)) {
    MappedFile file;
    file.path = mapping.path;
    file.inode = mapping.inode;
    file.pid = pid;
    spaces_.of(pid).map({mapping.start, mapping.end, mapping.file_offset, images_.index_of(file)});
  }
  batch_.tasks.push_back({now_ns, TaskChange::kExec, pid, pid, 0, {}});
  batch_.tasks.push_back({now_ns, TaskChange::kExecutable, pid, pid, 0, read_executable(pid)});
}

void SampleReader::announce_images() {
  announced_.resize(images_.size());
  for (const SampledNode& node : batch_.nodes) {
    const std::uint32_t index = node.frame.image;
    if (index < announced_.size() && !announced_[index]) {
      announced_[index] = true;
      const SampleImage& image = images_.image(index);
      batch_.images.push_back({index, image.path(), image.build_id()});
    }
  }
}

void SampleReader::hand_over(std::uint64_t until_ns) {
  announce_images();
  const std::lock_guard lock(mutex_);
  if (!ready_) {
    ready_.emplace();
  }
  append(ready_->images, batch_.images);
  append(ready_->nodes, batch_.nodes);
  append(ready_->tasks, batch_.tasks);
  append(ready_->samples, batch_.samples);
  ready_->lost_records += batch_.lost_records;
  ready_->throttled += batch_.throttled;
  ready_->until_ns = until_ns;
  batch_ = {};
  has_ready_ = true;
}

}  // namespace spyglass::collector
