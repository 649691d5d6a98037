// SPDX-License-Identifier: Apache-2.0
// sample_unwinder.h - from the registers and the stack copy of a sample to its frames.
//
// Rules of recorder/unwind first; libunwind where these can't express what the file says; frame
// pointers, if they lead to code, where no file says anything. A stack that is longer than its copy
// is completed from the last one of the same thread that had the frame at which the copy ends.
//
//   Where    collector.
//   Threads  one at a time.
//   Memory   the last whole stack of each thread that has a long one, until forget().
//   Errors   StackEnd says why outermost frames are missing.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "recorder/collector/address_space.h"
#include "recorder/collector/perf_records.h"
#include "recorder/collector/sample_image.h"
#include "recorder/unwind/rule.h"

namespace spyglass::collector {

inline constexpr std::uint32_t kNoImage = ~std::uint32_t{0};  // the offset is a bare address

struct SampledFrame {
  std::uint32_t image = kNoImage;
  std::uint64_t offset = 0;  // of the instruction: the call's for callers, the sampled one's
  bool operator==(const SampledFrame&) const = default;
};

enum class StackEnd { kWhole, kCopyTooShort, kNoRule, kTooDeep };

struct SampledStack {
  std::vector<SampledFrame> frames;  // innermost first
  StackEnd end = StackEnd::kWhole;
};

class SampleUnwinder {
 public:
  SampleUnwinder(SampleImages& images, std::size_t max_frames, std::size_t copy_bytes);

  // Valid until the next call.
  const SampledStack& unwind(const PerfSample& sample, const AddressSpace& space);
  // The thread has ended, or runs another program.
  void forget(std::uint32_t tid) { known_stacks_.erase(tid); }

 private:
  struct CachedRule {
    std::uint64_t key = 0;
    unwind::Rule rule = unwind::kUnknownRule;
  };
  // A frame, and where the thread was in it.
  struct Place {
    std::uint64_t sp;
    std::uint64_t pc;
    SampledFrame frame;
  };
  class Memory;

  Place place_of(const unwind::Registers& at, const AddressSpace& space);
  unwind::Rule rule_at(const unwind::Registers& at, const AddressSpace& space);
  unwind::Step step(unwind::Registers& at, const Memory& memory);
  unwind::Step step_by_guess(unwind::Registers& at, const Memory& memory, bool innermost);
  StackEnd follow(const PerfSample& sample, const Memory& memory);
  bool follow_remotely(const PerfSample& sample, const Memory& memory,
                       const unwind::Registers& stuck, StackEnd& end);
  bool complete(std::uint32_t tid, const unwind::Registers& boundary);
  void remember(std::uint32_t tid, std::uint64_t copy_begin);

  SampleImages& images_;
  std::size_t max_frames_;
  std::size_t copy_bytes_;
  std::vector<CachedRule> rules_;
  std::vector<Place> places_;  // of the stack at hand
  SampledStack stack_;
  std::unordered_map<std::uint32_t, std::vector<Place>> known_stacks_;  // by tid
  std::unordered_map<std::uint64_t, bool> beyond_remote_;  // rule keys where libunwind failed
};

}  // namespace spyglass::collector
