// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_unwinder.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "recorder/collector/remote_unwind.h"

namespace spyglass::collector {
namespace {

using unwind::Registers;
using unwind::Rule;
using unwind::RuleKind;
using unwind::Step;

constexpr std::size_t kCachedRules = 1U << 15U;  // a power of two
constexpr std::size_t kMaxKnownStacks = 4096;
constexpr std::size_t kMaxBeyondRemote = 65536;
constexpr std::uint64_t kEntryBytes = 128;

std::uint64_t rule_key(const SampledFrame& frame) {
  return (std::uint64_t{frame.image} + 1) << 48U ^ frame.offset;
}

}  // namespace

// The stack copy and what the process has mapped.
class SampleUnwinder::Memory : public StackMemory {
 public:
  Memory(const PerfSample& sample, const AddressSpace& space, SampleImages& images)
      : space_(space), images_(images), begin_(sample.registers[kRsp]), bytes_(sample.stack) {}

  bool read(std::uint64_t address, std::uint64_t& value) const override {
    return read_stack(address, value) || read_file(address, value);
  }

  bool read_stack(std::uint64_t address, std::uint64_t& value) const {
    const std::uint64_t at = address - begin_;
    if (address < begin_ || bytes_.size() < sizeof(value) || at > bytes_.size() - sizeof(value)) {
      beyond_copy_ = beyond_copy_ || (address >= begin_ && at >= bytes_.size() - sizeof(value));
      return false;
    }
    std::memcpy(&value, bytes_.data() + at, sizeof(value));
    return true;
  }

  bool find_tables(std::uint64_t pc, unwind::Tables& tables, std::uint64_t& bias) const override {
    const CodeMapping* mapping = space_.find(pc);
    if (mapping == nullptr) {
      return false;
    }
    const SampleImage& image = images_.image(mapping->image);
    tables = image.tables();
    bias = image.bias(mapping->start, mapping->file_offset);
    tables_image_ = &image;
    tables_bias_ = bias;
    return !tables.empty();
  }

  bool is_code(std::uint64_t address) const { return space_.find(address) != nullptr; }
  const AddressSpace& space() const { return space_; }
  // Whether a read since the last call was further out than the copy reaches.
  bool take_beyond_copy() const { return std::exchange(beyond_copy_, false); }

 private:
  // libunwind reads the tables of the file that it asked for last.
  bool read_file(std::uint64_t address, std::uint64_t& value) const {
    return tables_image_ != nullptr && tables_image_->read(address - tables_bias_, value);
  }

  const AddressSpace& space_;
  SampleImages& images_;
  std::uint64_t begin_;
  std::span<const std::uint8_t> bytes_;
  mutable bool beyond_copy_ = false;
  mutable const SampleImage* tables_image_ = nullptr;
  mutable std::uint64_t tables_bias_ = 0;
};

SampleUnwinder::SampleUnwinder(SampleImages& images, std::size_t max_frames, std::size_t copy_bytes)
    : images_(images), max_frames_(max_frames), copy_bytes_(copy_bytes), rules_(kCachedRules) {}

SampleUnwinder::Place SampleUnwinder::place_of(const Registers& at, const AddressSpace& space) {
  const std::uint64_t pc = at.rule_pc();
  Place place = {at.sp, at.pc, {kNoImage, pc}};
  if (const CodeMapping* mapping = space.find(pc)) {
    const SampleImage& image = images_.image(mapping->image);
    place.frame.image = mapping->image;
    if (image.kind() != ImageKind::kJit) {
      place.frame.offset = pc - image.bias(mapping->start, mapping->file_offset);
    }
  }
  return place;
}

Rule SampleUnwinder::rule_at(const Registers& at, const AddressSpace& space) {
  const SampledFrame frame = place_of(at, space).frame;
  if (frame.image == kNoImage) {
    return unwind::kUnknownRule;
  }
  const std::uint64_t key = rule_key(frame);
  CachedRule& cached = rules_[(key * 0x9e3779b97f4a7c15ULL) >> 49U];
  static_assert(kCachedRules == 1U << (64U - 49U));
  if (cached.key != key) {
    cached.key = key;
    const SampleImage& image = images_.image(frame.image);
    cached.rule = image.tables().empty() ? unwind::kUnknownRule
                                         : unwind::find_rule(image.tables(), frame.offset);
    // The loader's own first instructions have no rules.
    if (cached.rule.kind == RuleKind::kUnknown && frame.offset - image.entry() < kEntryBytes) {
      cached.rule.kind = RuleKind::kOutermost;
    }
  }
  return cached.rule;
}

Step SampleUnwinder::step(Registers& at, const Memory& memory) {
  return unwind::step(rule_at(at, memory.space()), at,
                      [&](std::uint64_t address, std::uint64_t& value) {
                        return memory.read_stack(address, value);
                      });
}

// Code without rules keeps a frame pointer, or is a leaf that has not touched the stack yet.
Step SampleUnwinder::step_by_guess(Registers& at, const Memory& memory, bool innermost) {
  const auto read = [&](std::uint64_t address, std::uint64_t& value) {
    return memory.read_stack(address, value);
  };
  Registers caller = at;
  if (at.rbp >= at.sp && unwind::step(unwind::kFramePointerRule, caller, read) == Step::kCaller &&
      memory.is_code(caller.rule_pc())) {
    at = caller;
    return Step::kCaller;
  }
  static constexpr Rule kLeafRule = {8, 0, RuleKind::kRsp, unwind::SavedRbp::kSame};
  caller = at;
  if (innermost && unwind::step(kLeafRule, caller, read) == Step::kCaller &&
      memory.is_code(caller.rule_pc())) {
    at = caller;
    return Step::kCaller;
  }
  return Step::kStuck;
}

// Takes over from libunwind what comes after the frame at which we are stuck.
bool SampleUnwinder::follow_remotely(const PerfSample& sample, const Memory& memory,
                                     const Registers& stuck, StackEnd& end) {
  const SampledFrame frame = places_.back().frame;
  if (frame.image == kNoImage || images_.image(frame.image).tables().empty() ||
      beyond_remote_.contains(rule_key(frame))) {
    return false;
  }
  memory.take_beyond_copy();
  const RemoteStack remote = unwind_remotely(sample.registers, memory, max_frames_);
  const auto same = std::find_if(
      remote.frames.begin(), remote.frames.end(),
      [&](const RemoteFrame& other) { return other.sp == stuck.sp && other.pc == stuck.pc; });
  const bool further = same != remote.frames.end() && same + 1 != remote.frames.end() &&
                       memory.is_code((same + 1)->pc);
  if (!further) {
    if (!memory.take_beyond_copy() && beyond_remote_.size() < kMaxBeyondRemote) {
      beyond_remote_[rule_key(frame)] = true;
    }
    return false;
  }
  Registers at = stuck;
  for (auto next = same + 1; next != remote.frames.end() && places_.size() < max_frames_; ++next) {
    if (!memory.is_code(next->pc)) {
      break;
    }
    at = {next->pc, next->sp, 0, next->after_call};
    places_.push_back(place_of(at, memory.space()));
  }
  end = StackEnd::kNoRule;
  if (remote.whole || rule_at(at, memory.space()).kind == RuleKind::kOutermost) {
    end = StackEnd::kWhole;
  } else if (places_.size() >= max_frames_) {
    end = StackEnd::kTooDeep;
  } else if (memory.take_beyond_copy()) {
    end = complete(sample.tid, at) ? StackEnd::kWhole : StackEnd::kCopyTooShort;
  }
  return true;
}

StackEnd SampleUnwinder::follow(const PerfSample& sample, const Memory& memory) {
  Registers at = {sample.registers[kRip], sample.registers[kRsp], sample.registers[kRbp], false};
  const bool copy_is_full = sample.stack.size() >= copy_bytes_;
  while (places_.size() < max_frames_) {
    places_.push_back(place_of(at, memory.space()));
    memory.take_beyond_copy();
    const Step taken = step(at, memory);
    if (taken == Step::kOutermost) {
      return StackEnd::kWhole;
    }
    if (taken == Step::kCaller) {
      continue;
    }
    if (memory.take_beyond_copy()) {
      return copy_is_full && complete(sample.tid, at) ? StackEnd::kWhole : StackEnd::kCopyTooShort;
    }
    StackEnd end = StackEnd::kWhole;
    if (follow_remotely(sample, memory, at, end)) {
      return end;
    }
    if (step_by_guess(at, memory, places_.size() == 1) != Step::kCaller) {
      return memory.take_beyond_copy() && copy_is_full && complete(sample.tid, at)
                 ? StackEnd::kWhole
                 : StackEnd::kNoRule;
    }
  }
  return StackEnd::kTooDeep;
}

// Appends what the thread's last whole stack had beyond this frame.
bool SampleUnwinder::complete(std::uint32_t tid, const Registers& boundary) {
  const auto known = known_stacks_.find(tid);
  if (known == known_stacks_.end()) {
    return false;
  }
  const std::vector<Place>& stack = known->second;
  const auto same = std::partition_point(
      stack.begin(), stack.end(), [&](const Place& place) { return place.sp < boundary.sp; });
  if (same == stack.end() || same->sp != boundary.sp || same->pc != boundary.pc) {
    return false;
  }
  const auto room = static_cast<std::ptrdiff_t>(max_frames_ - places_.size());
  places_.insert(places_.end(), same + 1, same + 1 + std::min(room, stack.end() - (same + 1)));
  return true;
}

// Only stacks that may grow beyond the copy are worth it.
void SampleUnwinder::remember(std::uint32_t tid, std::uint64_t copy_begin) {
  if (places_.back().sp - copy_begin > copy_bytes_ / 2 &&
      (known_stacks_.size() < kMaxKnownStacks || known_stacks_.contains(tid))) {
    known_stacks_[tid] = places_;
  }
}

const SampledStack& SampleUnwinder::unwind(const PerfSample& sample, const AddressSpace& space) {
  places_.clear();
  stack_.frames.clear();
  if (sample.has_registers) {
    const Memory memory(sample, space, images_);
    stack_.end = follow(sample, memory);
    if (stack_.end == StackEnd::kWhole) {
      remember(sample.tid, sample.registers[kRsp]);
    }
  } else {
    places_.push_back(place_of({sample.ip, 0, 0, false}, space));
    stack_.end = StackEnd::kNoRule;
  }
  for (const Place& place : places_) {
    stack_.frames.push_back(place.frame);
  }
  return stack_;
}

}  // namespace spyglass::collector
