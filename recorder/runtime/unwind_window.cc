// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/unwind_window.h"

#include <sys/auxv.h>

#include <atomic>
#include <cerrno>

#include "recorder/runtime/syscalls.h"

namespace spyglass::runtime {
namespace {

// Between a stack pointer and what is known to be the thread's stack, in pages. A coroutine's stack
// ends sooner, and so does the search.
constexpr std::uint64_t kMaxGapPages = 2048;
constexpr std::uint64_t kMaxSearches = 16;

std::uint64_t page_of(std::uint64_t address) { return address & ~(kPageBytes - 1); }

// Every page from `low` on, up to the one that holds `high` - 1.
bool can_read_all(std::uint64_t low, std::uint64_t high) {
  if (high - low > kMaxGapPages * kPageBytes) {
    return false;
  }
  for (std::uint64_t page = page_of(low); page < high; page += kPageBytes) {
    if (!can_read(page)) {
      return false;
    }
  }
  return true;
}

// Of a thread that libc made, the thread descriptor lies at the stack's upper end.
std::uint64_t thread_descriptor() {
  std::uint64_t self = 0;
  asm("movq %%fs:0x10, %0" : "=r"(self));
  return self;
}

// The kernel puts it at the upper end of the first thread's stack.
std::uint64_t first_stack_end() {
  static std::atomic<std::uint64_t> end;
  std::uint64_t known = end.load(std::memory_order_relaxed);
  if (known == 0) {
    known = getauxval(AT_RANDOM) & ~std::uint64_t{7};
    end.store(known, std::memory_order_relaxed);
  }
  return known;
}

// First down, then longer: true in between.
void set_home(HomeStack& home, std::uint64_t low, std::uint64_t end) {
  auto& words = const_cast<volatile WordRange&>(home.words);
  words.low = low;
  words.span = end - low - WordRange::kWordRest;
}

bool find_home(HomeStack& home, std::uint64_t sp) {
  const std::uint64_t ends[2] = {thread_descriptor() & ~std::uint64_t{7}, first_stack_end()};
  // The nearer one first: below the first thread's stack lie those of all others.
  const unsigned first = ends[0] - sp <= ends[1] - sp ? 0 : 1;
  for (const std::uint64_t end : {ends[first], ends[1 - first]}) {
    if (end > sp && can_read_all(sp, end)) {
      set_home(home, page_of(sp), end);
      return true;
    }
  }
  return false;
}

}  // namespace

bool can_read(std::uint64_t address) {
  constexpr int kNoSuchHow = -1;  // the kernel reads the set, then refuses
  return kernel(SYS_rt_sigprocmask, kNoSuchHow, address, nullptr, sizeof(std::uint64_t)) == -EINVAL;
}

void settle_home(HomeStack& home, std::uint64_t sp) {
  const WordRange words = home.words;
  if (words.holds(sp) || page_of(sp) == home.foreign_page) {
    return;
  }
  if (words.span == 0) {
    if (home.searches < kMaxSearches) {
      home.searches += 1;
      if (find_home(home, sp)) {
        return;
      }
    }
  } else if (sp < words.low && can_read_all(sp, words.low)) {
    set_home(home, page_of(sp), words.end());
    return;
  }
  home.foreign_page = page_of(sp);
}

bool StackReader::visit(std::uint64_t address) {
  if (visit_.holds(address)) {
    return true;
  }
  const std::uint64_t page = page_of(address);
  if (page_of(address + WordRange::kWordRest) != page || !can_read(page)) {
    return false;
  }
  if (visit_.span != 0 && page == visit_.end()) {
    visit_.span += kPageBytes;
  } else {
    visit_ = {page, kPageBytes - WordRange::kWordRest};
  }
  return true;
}

}  // namespace spyglass::runtime
