// SPDX-License-Identifier: Apache-2.0
// sample_tasks.h - which process and thread of the session a sample belongs to.
//
// Two sources tell of processes: those that the library is in say so themselves (a handshake, a
// lane), the kernel's records tell of all, but later. Ids are given here, to whoever comes first;
// the other one finds them by pid, or pid and tid, and time. One program in one process, from exec
// or fork to the next exec or the end, is an image.
//
//   Where    collector thread.
//   Memory   images and threads, until the records of what came after them have been seen.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "format/records.h"

namespace spyglass::collector {

inline constexpr std::uint64_t kOpenEnd = ~std::uint64_t{0};

// As the kernel's records tell.
struct TaskImage {
  std::uint32_t pid = 0;
  std::uint32_t parent_pid = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t end_ticks = kOpenEnd;
  bool execed = false;
  bool ended_by_exec = false;
  bool joined = false;       // the library said so
  bool has_library = false;  // it was mapped
  bool first = false;        // the program that the session was started with
  bool birth_seen = true;    // false: no record told of it, only a sample did
  std::string name;
  std::string executable;
  std::uint32_t process = 0;  // id; 0: not needed yet
};

// A thread with samples, or with a lane.
struct TaskThread {
  std::uint32_t id = 0;
  std::uint64_t exit_ticks = kOpenEnd;
  bool has_lane = false;
  format::ThreadRecord record;  // if it has no lane
};

class SampleTasks {
 public:
  // Whether the kernel's records come at all. Before the first process.
  void expect_records() { active_ = true; }

  // A process said that it is one: its id.
  std::uint32_t join(std::uint32_t pid, std::uint64_t ticks, bool forked,
                     const std::string& executable);
  // A lane was taken into use, then: its thread's id.
  std::uint32_t lane_began(std::uint32_t process, std::uint32_t tid, std::uint64_t birth_ticks);
  void lane_ended(std::uint32_t process, std::uint32_t tid, std::uint64_t exit_ticks);

  // The kernel's records, by time.
  void forked(std::uint32_t pid, std::uint32_t parent_pid, std::uint64_t ticks);
  void execed(std::uint32_t pid, std::uint64_t ticks, const std::string& name);
  void exited(std::uint32_t pid, std::uint64_t ticks);
  // There is a sample of a process whose birth was not told: its record was lost, or comes late.
  void seen(std::uint32_t pid, std::uint64_t ticks);
  // The pid's present image; null: unknown.
  TaskImage* newest(std::uint32_t pid);
  TaskImage* image_at(std::uint32_t pid, std::uint64_t ticks);

  // Finds out whether a process that joined up to `until_ticks` is this image.
  void resolve(TaskImage& image, std::uint64_t until_ticks);
  std::uint32_t new_process_id() { return next_process_++; }

  // The thread as of then; created if need be. `kernel_exit_ticks`: when a thread of that number
  // last ended, as the kernel tells; 0: none has.
  TaskThread& thread_at(std::uint32_t process, std::uint32_t tid, std::uint64_t ticks,
                        std::uint64_t kernel_exit_ticks, bool& added);
  // Its end, if it has no lane; null: no such thread.
  TaskThread* end_thread(std::uint32_t process, std::uint32_t tid, std::uint64_t ticks);

  // Images that ended and were not seen by this before; at the end of the session, all.
  std::vector<TaskImage> take_ended(std::uint64_t until_ticks);
  // Threads that ended by then are not asked for any more.
  void forget_threads(std::uint64_t before_ticks);
  std::uint32_t thread_count() const { return next_thread_ - 1; }
  std::uint32_t process_count() const { return next_process_ - 1; }

 private:
  struct Joined {
    std::uint64_t ticks;
    std::uint32_t process;
    bool forked;
  };
  static std::uint64_t key_of(std::uint32_t process, std::uint32_t tid) {
    return std::uint64_t{process} << 32U | tid;
  }
  static bool is_of(const TaskImage& image, std::uint64_t ticks, bool forked);
  void begin(TaskImage image);

  bool active_ = false;
  bool began_ = false;  // the first program was seen
  std::uint32_t next_process_ = 1;
  std::uint32_t next_thread_ = 1;
  std::unordered_map<std::uint32_t, std::deque<TaskImage>> images_;  // by pid, by time
  std::unordered_map<std::uint32_t, std::deque<Joined>> joined_;     // by pid, not resolved yet
  std::unordered_map<std::uint64_t, std::vector<TaskThread>> threads_;
  std::deque<std::pair<std::uint64_t, std::uint64_t>> ended_threads_;  // when, key
  std::vector<std::uint32_t> ended_pids_;                              // with images to be taken
};

}  // namespace spyglass::collector
