// SPDX-License-Identifier: Apache-2.0
// What a frame costs to unwind: new, and known from the previous stack. Against libunwind's
// unw_backtrace on the same stacks.
//
// The program walks a random call tree and looks at its stack in every call: so the next stack
// differs from the last one in its inner frames, as real ones do. Every way sees the same stacks,
// in turn, round by round; what counts is the median of the rounds. A cost per frame is the slope
// between a shallow and a deep base below the same tree.
//
//   usage: unwind_bench [ROW]      prints "name value unit" lines
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <utility>
#include <vector>

#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/unwind_area.h"
#include "tests/support/own_session.h"

namespace {

using namespace spyglass;

constexpr unsigned kFunctions = 64;
constexpr unsigned kShallow = 8;
constexpr unsigned kDeep = 40;
constexpr unsigned kTreeDepth = 8;
constexpr int kRounds = 9;

enum class Way { kNothing, kUnwind, kMemo, kLibunwind };

Way g_way;
format::Lane* g_lane;
std::uint64_t g_events;
std::uint64_t g_frames;
bool g_count_frames;
std::uint64_t g_random;
volatile std::uint64_t g_sink;

std::uint64_t next_random() {
  g_random ^= g_random << 13U;
  g_random ^= g_random >> 7U;
  g_random ^= g_random << 17U;
  return g_random;
}

// As a hook does it.
[[gnu::noinline]] void look_at_stack() {
  g_events += 1;
  void* addresses[256];
  switch (g_way) {
    case Way::kNothing:
      break;
    case Way::kUnwind:
      runtime::area_of(g_lane)->memo_count = 0;
      [[fallthrough]];
    case Way::kMemo:
      g_sink = g_sink + runtime::calling_context(g_lane, runtime::caller_point())->parent;
      if (g_count_frames) {
        g_frames += runtime::area_of(g_lane)->memo_count;
      }
      break;
    case Way::kLibunwind:
      g_sink = g_sink + static_cast<std::uint64_t>(unw_backtrace(addresses, 256));
      break;
  }
  asm volatile("");  // no tail call: our frame pointer is the caller's until the end
}

using Function = void (*)(unsigned depth, unsigned base);
extern std::array<Function, kFunctions> g_functions;

// One call tree: `base` calls straight down, then branches.
template <unsigned kIndex>
[[gnu::noinline]] void call(unsigned depth, unsigned base) {
  volatile char locals[16 + kIndex * 8];
  locals[0] = static_cast<char>(depth);
  if (depth < base) {
    g_functions[(kIndex * 7 + depth * 5 + 1) % kFunctions](depth + 1, base);
  } else {
    look_at_stack();
    if (depth < base + kTreeDepth) {
      const auto children = static_cast<unsigned>(next_random() % 3);
      for (unsigned i = 0; i <= children; ++i) {
        g_functions[next_random() % 3 * 17 % kFunctions](depth + 1, base);
      }
    }
  }
  g_sink = g_sink + static_cast<std::uint64_t>(locals[0]);
}

template <std::size_t... kIndices>
constexpr std::array<Function, kFunctions> functions(std::index_sequence<kIndices...> /*unused*/) {
  return {call<kIndices>...};
}
std::array<Function, kFunctions> g_functions = functions(std::make_index_sequence<kFunctions>());

// The same stack again and again: all frames known.
[[gnu::noinline]] void repeat_below(unsigned depth, unsigned base, unsigned times) {
  volatile char locals[32];
  locals[0] = 1;
  if (depth < base) {
    repeat_below(depth + 1, base, times);
  } else {
    for (unsigned i = 0; i < times; ++i) {
      look_at_stack();
    }
  }
  g_sink = g_sink + static_cast<std::uint64_t>(locals[0]);
}

// CPU time of this thread: being preempted by a stranger does not change it.
double seconds_now() {
  timespec now = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

struct Sample {
  double ns_per_event;
  double frames_per_event;
};

Sample run_trees(Way way, unsigned base) {
  g_way = way;
  g_events = 0;
  g_frames = 0;
  g_random = 0x9e3779b97f4a7c15ULL;
  const double begin = seconds_now();
  for (int i = 0; i < 40; ++i) {
    g_functions[0](0, base);
  }
  const double end = seconds_now();
  const auto events = static_cast<double>(g_events);
  return {(end - begin) * 1e9 / events, static_cast<double>(g_frames) / events};
}

Sample run_repeats(Way way, unsigned base) {
  constexpr unsigned kTimes = 30'000;
  g_way = way;
  g_events = 0;
  g_frames = 0;
  const double begin = seconds_now();
  repeat_below(0, base, kTimes);
  const double end = seconds_now();
  const auto events = static_cast<double>(g_events);
  return {(end - begin) * 1e9 / events, static_cast<double>(g_frames) / events};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

struct Row {
  const char* name;
  Sample (*run)(Way, unsigned);
  Way way;
  std::vector<double> per_frame;
  std::vector<double> deep;
};

}  // namespace

int main(int count, char** arguments) {
  format::RecordingOptions options = {};
  options.on_full = format::OnFull::kDropNewest;
  OwnSession session(options);
  g_lane = OwnSession::lane();

  g_count_frames = true;
  for (int warm = 0; warm < 2; ++warm) {
    std::printf("tree_frames %.1f frames\n", run_trees(Way::kMemo, kDeep).frames_per_event);
  }
  g_count_frames = false;

  std::vector<Row> rows = {
      {"new_frame", run_trees, Way::kUnwind, {}, {}},
      {"memo_tree", run_trees, Way::kMemo, {}, {}},
      {"libunwind_tree", run_trees, Way::kLibunwind, {}, {}},
      {"new_frame_same_stack", run_repeats, Way::kUnwind, {}, {}},
      {"verified_frame", run_repeats, Way::kMemo, {}, {}},
      {"libunwind_same_stack", run_repeats, Way::kLibunwind, {}, {}},
  };
  if (count > 1) {
    std::erase_if(rows, [&](const Row& row) { return std::strcmp(row.name, arguments[1]) != 0; });
  }
  for (int round = 0; round < kRounds; ++round) {
    for (Row& row : rows) {
      const double bare = row.run(Way::kNothing, kDeep).ns_per_event;
      const double shallow_bare = row.run(Way::kNothing, kShallow).ns_per_event;
      const double shallow = row.run(row.way, kShallow).ns_per_event - shallow_bare;
      const double deep = row.run(row.way, kDeep).ns_per_event - bare;
      row.per_frame.push_back((deep - shallow) / (kDeep - kShallow));
      row.deep.push_back(deep);
    }
  }
  for (const Row& row : rows) {
    std::printf("%s %.2f ns/frame\n", row.name, median(row.per_frame));
    std::printf("%s_stack %.1f ns/stack\n", row.name, median(row.deep));
  }
  return 0;
}
