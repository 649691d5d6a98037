// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/calling_context.h"

#include <alloca.h>
#include <execinfo.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <vector>

#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/unwind_area.h"
#include "recorder/runtime/unwind_rules.h"
#include "tests/support/own_session.h"

namespace {

using namespace spyglass;
using namespace spyglass::runtime;

// Addresses of nodes, innermost first. Filled in signal handlers, too: it allocates nothing.
class Path {
 public:
  Path() = default;
  Path(const std::uint64_t* begin, const std::uint64_t* end) {
    for (; begin != end; ++begin) {
      push_back(*begin);
    }
  }
  void clear() { count_ = 0; }
  void push_back(std::uint64_t address) {
    if (count_ < kMost) {
      addresses_[count_++] = address;
    }
  }
  std::size_t size() const { return count_; }
  const std::uint64_t* begin() const { return addresses_; }
  const std::uint64_t* end() const { return addresses_ + count_; }
  std::uint64_t& back() { return addresses_[count_ - 1]; }
  std::uint64_t operator[](std::size_t index) const { return addresses_[index]; }

 private:
  static constexpr std::size_t kMost = 2000;
  std::uint64_t addresses_[kMost];
  std::size_t count_ = 0;
};

format::RecordingOptions options(std::uint32_t max_frames = 0) {
  format::RecordingOptions made = {};
  made.max_stack_frames = max_frames;
  return made;
}

void path_to(const format::Lane* lane, const format::Node* node, Path& path) {
  path.clear();
  for (; node->parent != 0; node = node_at(lane, node->parent)) {
    path.push_back(node->address);
  }
}

struct Seen {
  Path ours;
  Path theirs;  // by backtrace(), as node addresses; includes the frames in between
};
Seen g_seen;

void by_backtrace(Path& path) {
  static void* addresses[2000];
  const int count = backtrace(addresses, 2000);
  path.clear();
  for (int i = 0; i < count; ++i) {
    const auto pc = reinterpret_cast<std::uint64_t>(addresses[i]);
    if (pc != 0) {
      path.push_back(format::kPcTag | (pc - 1));
    }
  }
}

bool ends_with(const Path& whole, const Path& end) {
  return whole.size() >= end.size() && end.size() != 0 &&
         std::equal(end.begin(), end.end(), whole.end() - end.size());
}

// What a hook does; its caller's stack is the one that counts.
[[gnu::noinline]] void look() {
  format::Lane* lane = OwnSession::lane();
  const StackPoint point = caller_point();
  const format::Node* node = calling_context(lane, point);
  path_to(lane, node, g_seen.ours);
  by_backtrace(g_seen.theirs);
  asm volatile("");
}

bool agrees() { return ends_with(g_seen.theirs, g_seen.ours); }

[[gnu::noinline]] void call_down(unsigned depth, unsigned shape, void (*leaf)()) {
  [[maybe_unused]] volatile char locals[64];
  locals[shape % 64] = 1;
  if (depth == 0) {
    leaf();
  } else if (shape % 3 == 0) {
    call_down(depth - 1, shape / 3, leaf);
  } else if (shape % 3 == 1) {
    auto* memory = static_cast<volatile char*>(alloca(16 + shape % 1000));
    memory[0] = 1;
    call_down(depth - 1, shape / 3, leaf);
    memory[0] = 2;
  } else {
    call_down(depth - 1, shape / 3 + 1, leaf);
  }
  locals[0] = 2;
}

[[gnu::noinline, gnu::force_align_arg_pointer]] void realigned(void (*leaf)()) {
  [[maybe_unused]] alignas(64) volatile char locals[128];
  locals[0] = 1;
  leaf();
  locals[1] = 2;
}

TEST_CASE("the calling context is the stack that backtrace() sees", "[unwind]") {
  OwnSession session(options());
  unsigned wrong = 0;
  std::uint32_t random = 1;
  for (int i = 0; i < 3000; ++i) {
    random = random * 1664525 + 1013904223;
    call_down(random >> 28U, random >> 8U, look);
    wrong += agrees() && g_seen.ours.size() > (random >> 28U) + 5 ? 0 : 1;
  }
  CHECK(wrong == 0);
  CHECK(OwnSession::lane()->stacks_truncated == 0);
}

TEST_CASE("a caller that realigns its stack is unwound", "[unwind]") {
  OwnSession session(options());
  for (int i = 0; i < 3; ++i) {
    realigned(look);
    CHECK(agrees());
  }
}

TEST_CASE("errno is kept", "[unwind]") {
  OwnSession session(options());
  errno = 4711;
  look();
  CHECK(errno == 4711);
}

TEST_CASE("the same stack is the same node, by the memo and without it", "[unwind]") {
  OwnSession session(options());
  const UnwindArea* area = area_of(OwnSession::lane());
  std::uint32_t cells = 0;
  for (int i = 0; i < 4; ++i) {
    if (i == 2) {
      area_of(OwnSession::lane())->memo_count = 0;
    }
    look();
    CHECK(agrees());
    if (i == 0) {
      cells = OwnSession::lane()->cells_used;
    }
    CHECK(OwnSession::lane()->cells_used == cells);
    CHECK(area->memo_count == g_seen.ours.size());
  }
}

TEST_CASE("frames above the innermost open call are not repeated", "[unwind]") {
  OwnSession session(options());
  format::Lane* lane = OwnSession::lane();
  const CallTarget target = find_target(lane, node_at(lane, format::kRootCell), 0x1000);
  const auto sp = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  // As if this function had a hook, called with the stack pointer as it is now.
  std::uint64_t own_sp = 0;
  asm volatile("movq %%rsp, %0" : "=r"(own_sp));
  REQUIRE(own_sp <= sp);
  REQUIRE(prepare_call(lane, {0, own_sp, 0, false}));
  open_call(lane, target.node, own_sp, 0);
  call_down(3, 7, look);
  REQUIRE(g_seen.ours.size() == 5);  // call_down four times, and the open call
  CHECK(g_seen.ours.back() == 0x1000);
  look();
  REQUIRE(g_seen.ours.size() == 1);
  CHECK(g_seen.ours[0] == 0x1000);
  close_calls(lane, own_sp, ticks());
  look();
  CHECK(agrees());
}

TEST_CASE("a stack deeper than the limit hangs below a mark", "[unwind]") {
  OwnSession session(options(100));
  for (const unsigned depth : {90U, 150U, 151U, 150U, 90U, 5000U}) {
    const std::uint64_t before = OwnSession::lane()->stacks_truncated;
    call_down(depth, 0, look);
    if (g_seen.ours.size() < 100) {
      CHECK(agrees());
      continue;
    }
    REQUIRE(g_seen.ours.size() == 101);
    CHECK(g_seen.ours.back() == format::kTruncatedTag);
    CHECK(OwnSession::lane()->stacks_truncated == before + 1);
  }
}

#ifndef __SANITIZE_THREAD__  // backtrace(), the referee, allocates in the handler
TEST_CASE("handlers see the interrupted stack", "[unwind]") {
  OwnSession session(options());
  std::vector<char> memory(64U << 10U);
  for (const bool own_stack : {false, true}) {
    const stack_t stack = {memory.data(), own_stack ? 0 : SS_DISABLE, memory.size()};
    REQUIRE(sigaltstack(&stack, nullptr) == 0);
    struct sigaction action = {};
    action.sa_handler = [](int /*signal*/) { look(); };
    action.sa_flags = SA_ONSTACK;
    REQUIRE(sigaction(SIGUSR1, &action, nullptr) == 0);
    for (int i = 0; i < 3; ++i) {
      call_down(4, 5, [] { raise(SIGUSR1); });
      // The two differ in how they name the kernel's frame and the instruction that it interrupted.
      REQUIRE(g_seen.ours.size() > 12);
      const Path outer(g_seen.ours.end() - 8, g_seen.ours.end());
      CHECK(ends_with(g_seen.theirs, outer));
      CHECK(g_seen.ours.size() + 1 >= g_seen.theirs.size() - 2);
    }
  }
  const stack_t off = {nullptr, SS_DISABLE, 0};
  sigaltstack(&off, nullptr);
  CHECK(OwnSession::lane()->stacks_truncated == 0);
}
#endif

ucontext_t g_main_context;
ucontext_t g_coroutine;

TEST_CASE("a coroutine's stack is followed to its end", "[unwind]") {
  OwnSession session(options());
  constexpr std::size_t kBytes = 64U << 10U;
  for (int i = 0; i < 4; ++i) {
    look();
    CHECK(agrees());
    void* memory =
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED);
    getcontext(&g_coroutine);
    g_coroutine.uc_stack = {memory, 0, kBytes};
    g_coroutine.uc_link = &g_main_context;
    makecontext(
        &g_coroutine, [] { call_down(6, 11, look); }, 0);
    swapcontext(&g_main_context, &g_coroutine);
    // The function that makecontext() made the outermost was never called.
    REQUIRE(g_seen.ours.back() == g_seen.theirs.back() + 1);
    g_seen.ours.back() -= 1;
    CHECK(agrees());
    CHECK(OwnSession::lane()->stacks_truncated == 0);
    munmap(memory, kBytes);
  }
}

TEST_CASE("code without rules is followed by its frame pointers", "[unwind]") {
  OwnSession session(options());
  // push rbp; mov rbp, rsp; call rdi; pop rbp; ret
  const std::uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};
  void* memory =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  std::memcpy(memory, code, sizeof(code));
  using Function = void (*)(void (*)());
  Function function = nullptr;
  std::memcpy(&function, &memory, sizeof(memory));
  for (int i = 0; i < 3; ++i) {
    function(look);
    REQUIRE(g_seen.ours.size() > 3);
    CHECK(g_seen.ours[0] == (format::kPcTag | (reinterpret_cast<std::uint64_t>(memory) + 5)));
    CHECK(OwnSession::lane()->stacks_truncated == 0);
  }
  munmap(memory, 4096);
}

TEST_CASE("a smashed stack ends with a mark, never with a fault", "[unwind]") {
  OwnSession session(options());
  format::Lane* lane = OwnSession::lane();
  auto* memory = static_cast<std::uint64_t*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(mprotect(memory + 512, 4096, PROT_NONE) == 0);
  const auto begin = reinterpret_cast<std::uint64_t>(memory);
  const auto pc = reinterpret_cast<std::uint64_t>(&call_down) + 64;
  std::uint32_t random = 1;
  std::uint64_t stacks = 0;
  for (int i = 0; i < 2000; ++i) {
    for (int at = 0; at < 512; ++at) {
      random = random * 1664525 + 1013904223;
      const std::uint64_t choices[] = {random, pc + random % 64, begin + random % 9000, 0,
                                       ~std::uint64_t{0} - random};
      memory[at] = choices[random >> 29U > 4 ? 1 : random >> 29U];
    }
    for (const std::uint64_t sp : {begin + random % 4096 / 8 * 8, begin + 4096 - 8, begin + 8000,
                                   std::uint64_t{8}, ~std::uint64_t{0} - 64}) {
      calling_context(lane, {pc, sp, begin + random % 5000, true});
      stacks += 1;
    }
  }
  CHECK(lane->stacks_truncated > stacks / 2);
  munmap(memory, 8192);
  look();
  CHECK(agrees());
}

// One place, so that only what is inside of it differs.
[[gnu::noinline]] void look_below(unsigned depth, unsigned shape) {
  call_down(depth, shape, look);
  asm volatile("");
}

TEST_CASE("stacks that lose inner frames past the tree's bound are counted, each time",
          "[unwind]") {
  OwnSession session(options());
  format::Lane* lane = OwnSession::lane();
  std::size_t whole = 0;
  std::uint64_t shortened = 0;
  for (const unsigned depth : {4U, 4U, 40U, 40U, 41U, 4U}) {
    // The same instructions again, so that the memo knows the frames that were left out.
    for (int i = 0; i < 3; ++i) {
      look_below(depth, 0);
      shortened += depth > 4 ? 1 : 0;
      CHECK(lane->stacks_shortened == shortened);
      CHECK(agrees());
      whole = whole == 0 ? g_seen.ours.size() : whole;
      // Of the deeper stacks stays what the tree has: the first four levels of call_down(), and the
      // next call site is another instruction.
      CHECK(g_seen.ours.size() <= whole);
    }
    lane->tree_full = 1;
  }
}

TEST_CASE("a retired node is not used again", "[unwind]") {
  OwnSession session(options());
  static const format::Node* nodes[2];
  for (auto& node : nodes) {
    look();
    const UnwindArea* area = area_of(OwnSession::lane());
    node = node_at(OwnSession::lane(), area->memo[area->memo_count - 1].cell);
    retire_nodes_of(node->module);
    forget_rules();
  }
  CHECK(nodes[0] != nodes[1]);
  CHECK((nodes[0]->address & format::kRetiredBit) != 0);
}

TEST_CASE("an unwind that a handler jumped out of is given up", "[unwind]") {
  OwnSession session(options());
  look();
  UnwindArea* area = area_of(OwnSession::lane());
  area->depth = 1;                        // its frame was far below ours
  area->outer_sp = area->home.words.low;  // with more, our own frame may lie below it
  look();
  CHECK(agrees());
  CHECK(area->depth == 0);
}

TEST_CASE("handlers may unwind in the middle of an unwind", "[unwind]") {
  OwnSession session(options());
  static unsigned handled;
  handled = 0;
  struct sigaction action = {};
  action.sa_handler = [](int /*signal*/) {
    calling_context(OwnSession::lane(), caller_point());
    handled += 1;
  };
  REQUIRE(sigaction(SIGPROF, &action, nullptr) == 0);
  const itimerval often = {{0, 200}, {0, 200}};
  setitimer(ITIMER_PROF, &often, nullptr);
  unsigned wrong = 0;
  const auto look_often = [] {
    for (int i = 0; i < 50; ++i) {
      calling_context(OwnSession::lane(), caller_point());
    }
    look();
  };
  for (int i = 0; handled < 50 && i < 1'000'000; ++i) {
    call_down(static_cast<unsigned>(i % 7), static_cast<unsigned>(i), look_often);
    wrong += agrees() ? 0 : 1;
  }
  const itimerval off = {};
  setitimer(ITIMER_PROF, &off, nullptr);
  signal(SIGPROF, SIG_IGN);
  CHECK(wrong == 0);
  CHECK(area_of(OwnSession::lane())->depth == 0);
}

TEST_CASE("each thread unwinds its own stack", "[unwind]") {
  OwnSession session(options());
  for (int i = 0; i < 3; ++i) {
    pthread_t thread = {};
    static bool agreed;
    agreed = false;
    REQUIRE(pthread_create(
                &thread, nullptr,
                [](void* /*unused*/) -> void* {
                  call_down(9, 1234, look);
                  agreed = agrees();
                  return nullptr;
                },
                nullptr) == 0);
    pthread_join(thread, nullptr);
    CHECK(agreed);
  }
}

}  // namespace
