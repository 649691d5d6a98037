// SPDX-License-Identifier: Apache-2.0
// unwind_window.h - which memory of a stack can be read without a fault.
//
// A thread's own stack stays mapped while the thread lives: what was found readable there is
// remembered (`home`). Other stacks, of coroutines and of signal handlers, can go at any time:
// their pages are asked for anew in every unwind (`visit`). The kernel is asked with a system call
// that reads one word and does nothing.
//
//   Where    target side; async-signal-safe; keeps errno.
//   Threads  each its own.
#pragma once

#include <cstdint>

namespace spyglass::runtime {

inline constexpr std::uint64_t kPageBytes = 4096;

// Words that begin at [low, low + span) can be read.
struct WordRange {
  std::uint64_t low;
  std::uint64_t span;

  bool holds(std::uint64_t address) const { return address - low < span; }
  std::uint64_t end() const { return low + span + kWordRest; }

  static constexpr std::uint64_t kWordRest = sizeof(std::uint64_t) - 1;
};

// All zero: nothing known yet. Half-changed it is true, too: a signal handler may jump out of here.
struct HomeStack {
  WordRange words;
  std::uint64_t foreign_page;  // of another stack, as found last
  std::uint64_t searches;      // for the stack's end
};

bool can_read(std::uint64_t address);

// Makes `home` reach down to `sp` if that is on the thread's own stack. Rarely does anything.
void settle_home(HomeStack& home, std::uint64_t sp);

class StackReader {
 public:
  explicit StackReader(const HomeStack& home) : home_(home.words), visit_{0, 0} {}

  // Reads a word of the stack; false if there is none.
  [[gnu::no_sanitize_address]] bool operator()(std::uint64_t address, std::uint64_t& value) {
    if (!home_.holds(address) && !visit(address)) {
      return false;
    }
    __builtin_memcpy(&value, reinterpret_cast<const void*>(address), sizeof(value));
    return true;
  }

  const WordRange& home() const { return home_; }
  bool is_home(std::uint64_t address) const { return home_.holds(address); }
  // Words were read that are not of the thread's own stack.
  bool visited() const { return visit_.span != 0; }

 private:
  [[gnu::noinline]] bool visit(std::uint64_t address);

  WordRange home_;
  WordRange visit_;
};

}  // namespace spyglass::runtime
