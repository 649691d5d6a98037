// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_tasks.h"

#include <algorithm>
#include <utility>

namespace spyglass::collector {
namespace {

// The kernel's time and the program's are of two clocks: about a millisecond apart at most.
constexpr std::uint64_t kClockSlackTicks = 1U << 21U;

}  // namespace

// Whether a join at `ticks` was that image's. A child joins within microseconds of its fork, and no
// other process of that number was forked near to it; a program joins long after its exec, but its
// end may be another program's exec.
bool SampleTasks::is_of(const TaskImage& image, std::uint64_t ticks, bool forked) {
  if (!image.birth_seen) {
    return ticks < image.end_ticks;
  }
  const std::uint64_t slack = forked ? kClockSlackTicks : 0;
  return image.execed == !forked && image.start_ticks <= ticks + slack &&
         ticks < image.end_ticks + std::min(slack, kOpenEnd - image.end_ticks);
}

std::uint32_t SampleTasks::join(std::uint32_t pid, std::uint64_t ticks, bool forked,
                                const std::string& executable) {
  if (!active_ || pid == 0) {
    return next_process_++;
  }
  // Records of what came after may be on their way, or here already: another program would be
  // another image.
  if (const auto known = images_.find(pid); known != images_.end()) {
    for (TaskImage& image : known->second) {
      if (image.process != 0 && !image.joined && is_of(image, ticks, forked) &&
          (forked || image.executable == executable)) {
        image.joined = true;
        return image.process;
      }
    }
  }
  joined_[pid].push_back({ticks, next_process_, forked});
  return next_process_++;
}

// A thread that takes its lane shortly before its end is seen at work after the kernel has told of
// that end, and perhaps of the next thread of that number.
std::uint32_t SampleTasks::lane_began(std::uint32_t process, std::uint32_t tid,
                                      std::uint64_t birth_ticks) {
  if (!active_ || tid == 0) {
    return next_thread_++;
  }
  std::vector<TaskThread>& threads = threads_[key_of(process, tid)];
  for (TaskThread& thread : threads) {
    const std::uint64_t slack = std::min(kClockSlackTicks, kOpenEnd - thread.exit_ticks);
    if (!thread.has_lane && birth_ticks <= thread.exit_ticks + slack) {
      thread.has_lane = true;
      thread.exit_ticks = kOpenEnd;
      return thread.id;
    }
  }
  TaskThread& thread = threads.emplace_back();
  thread.id = next_thread_++;
  thread.has_lane = true;
  return thread.id;
}

void SampleTasks::lane_ended(std::uint32_t process, std::uint32_t tid, std::uint64_t exit_ticks) {
  const std::uint64_t key = key_of(process, tid);
  const auto found = threads_.find(key);
  if (found == threads_.end()) {
    return;
  }
  for (TaskThread& thread : found->second) {
    if (thread.has_lane && thread.exit_ticks == kOpenEnd) {
      thread.exit_ticks = exit_ticks;
      ended_threads_.emplace_back(exit_ticks, key);
    }
  }
}

void SampleTasks::begin(TaskImage image) {
  TaskImage* before = newest(image.pid);
  if (before != nullptr && before->end_ticks == kOpenEnd) {
    before->end_ticks = image.start_ticks;
    before->ended_by_exec = image.execed;
    ended_pids_.push_back(image.pid);
  }
  images_[image.pid].push_back(std::move(image));
}

void SampleTasks::forked(std::uint32_t pid, std::uint32_t parent_pid, std::uint64_t ticks) {
  if (TaskImage* known = newest(pid);
      known != nullptr && !known->birth_seen && ticks <= known->start_ticks + kClockSlackTicks) {
    known->parent_pid = parent_pid;  // told late
    known->start_ticks = std::min(known->start_ticks, ticks);
    known->birth_seen = true;
    return;
  }
  TaskImage image;
  image.pid = pid;
  image.parent_pid = parent_pid;
  image.start_ticks = ticks;
  if (const TaskImage* parent = newest(parent_pid)) {
    image.name = parent->name;
    image.executable = parent->executable;
  }
  begin(std::move(image));
}

void SampleTasks::execed(std::uint32_t pid, std::uint64_t ticks, const std::string& name) {
  TaskImage image;
  image.pid = pid;
  if (const TaskImage* before = newest(pid)) {
    image.parent_pid = before->parent_pid;
  }
  image.start_ticks = ticks;
  image.execed = true;
  image.first = !std::exchange(began_, true);
  image.name = name;
  begin(std::move(image));
}

void SampleTasks::exited(std::uint32_t pid, std::uint64_t ticks) {
  TaskImage* image = newest(pid);
  if (image != nullptr && image->end_ticks == kOpenEnd) {
    image->end_ticks = ticks;
    ended_pids_.push_back(pid);
  }
}

void SampleTasks::seen(std::uint32_t pid, std::uint64_t ticks) {
  TaskImage image;
  image.pid = pid;
  image.start_ticks = ticks;
  image.birth_seen = false;
  begin(std::move(image));
}

TaskImage* SampleTasks::newest(std::uint32_t pid) {
  const auto found = images_.find(pid);
  return found == images_.end() || found->second.empty() ? nullptr : &found->second.back();
}

TaskImage* SampleTasks::image_at(std::uint32_t pid, std::uint64_t ticks) {
  const auto found = images_.find(pid);
  if (found == images_.end()) {
    return nullptr;
  }
  for (TaskImage& image : found->second) {
    if (image.start_ticks <= ticks && ticks <= image.end_ticks) {
      return &image;
    }
  }
  return nullptr;
}

void SampleTasks::resolve(TaskImage& image, std::uint64_t until_ticks) {
  const auto found = joined_.find(image.pid);
  if (image.joined || image.process != 0 || found == joined_.end()) {
    return;
  }
  std::deque<Joined>& joined = found->second;
  const auto same = std::find_if(joined.begin(), joined.end(), [&](const Joined& one) {
    return one.ticks <= until_ticks && is_of(image, one.ticks, one.forked);
  });
  if (same != joined.end()) {
    image.process = same->process;
    image.joined = true;
    joined.erase(same);
  }
  if (joined.empty()) {
    joined_.erase(found);
  }
}

TaskThread& SampleTasks::thread_at(std::uint32_t process, std::uint32_t tid, std::uint64_t ticks,
                                   std::uint64_t kernel_exit_ticks, bool& added) {
  std::vector<TaskThread>& threads = threads_[key_of(process, tid)];
  for (TaskThread& thread : threads) {
    if (ticks <= thread.exit_ticks) {
      added = false;
      return thread;
    }
  }
  // A lane ends before its thread does: without an end in between it still is that one.
  if (!threads.empty() && threads.back().has_lane &&
      (kernel_exit_ticks < threads.back().exit_ticks || kernel_exit_ticks >= ticks)) {
    added = false;
    return threads.back();
  }
  added = true;
  TaskThread& thread = threads.emplace_back();
  thread.id = next_thread_++;
  return thread;
}

TaskThread* SampleTasks::end_thread(std::uint32_t process, std::uint32_t tid, std::uint64_t ticks) {
  const std::uint64_t key = key_of(process, tid);
  const auto found = threads_.find(key);
  if (found == threads_.end()) {
    return nullptr;
  }
  for (TaskThread& thread : found->second) {
    if (!thread.has_lane && thread.exit_ticks == kOpenEnd) {
      thread.exit_ticks = ticks;
      ended_threads_.emplace_back(ticks, key);
      return &thread;
    }
  }
  return nullptr;
}

std::vector<TaskImage> SampleTasks::take_ended(std::uint64_t until_ticks) {
  std::vector<TaskImage> ended;
  const bool all = until_ticks == kOpenEnd;
  std::vector<std::uint32_t> pids = std::exchange(ended_pids_, {});
  if (all) {
    pids.clear();
    for (const auto& [pid, images] : images_) {
      pids.push_back(pid);
    }
  }
  for (const std::uint32_t pid : pids) {
    std::deque<TaskImage>& images = images_[pid];
    while (!images.empty() && (all || images.front().end_ticks <= until_ticks)) {
      ended.push_back(std::move(images.front()));
      images.pop_front();
    }
    if (images.empty()) {
      images_.erase(pid);
    } else if (images.front().end_ticks != kOpenEnd) {
      ended_pids_.push_back(pid);
    }
  }
  return ended;
}

void SampleTasks::forget_threads(std::uint64_t before_ticks) {
  while (!ended_threads_.empty() && ended_threads_.front().first < before_ticks) {
    const auto found = threads_.find(ended_threads_.front().second);
    ended_threads_.pop_front();
    if (found != threads_.end()) {
      std::erase_if(found->second,
                    [&](const TaskThread& thread) { return thread.exit_ticks < before_ticks; });
      if (found->second.empty()) {
        threads_.erase(found);
      }
    }
  }
}

}  // namespace spyglass::collector
