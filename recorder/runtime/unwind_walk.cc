// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/unwind_walk.h"

#include "recorder/runtime/unwind_rules.h"

namespace spyglass::runtime {
namespace {

using unwind::Registers;
using unwind::Rule;
using unwind::RuleKind;
using unwind::SavedRbp;
using unwind::Step;

bool likely(bool condition) { return __builtin_expect(static_cast<long>(condition), 1) != 0; }

// Of a smashed stack this may be any word.
[[gnu::no_sanitize_address]] inline std::uint64_t word_at(std::uint64_t address) {
  std::uint64_t word = 0;
  __builtin_memcpy(&word, reinterpret_cast<const void*>(address), sizeof(word));
  return word;
}

bool is_code_address(std::uint64_t pc) { return pc >> kCodeAddressBits == 0; }

// Where code has no rule: it may keep a frame pointer. One of another stack, or far out, is none.
Step step_by_frame_pointer(Registers& registers, StackReader& read) {
  if (registers.rbp == 0) {
    return Step::kOutermost;  // as the ABI marks it; so does the loader, which calls constructors
  }
  constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{1} << 17U;
  if (registers.rbp - registers.sp > kMaxFrameBytes ||
      read.is_home(registers.rbp) != read.is_home(registers.sp)) {
    return Step::kStuck;
  }
  return unwind::step(unwind::kFramePointerRule, registers, read);
}

// Where a walk is: the frame that goes on with these registers. In the walk's loop they stay in the
// machine's.
struct Place {
  std::uint64_t pc;
  std::uint64_t sp;
  std::uint64_t rbp;
  std::uint64_t rbp_at;  // as in StackFrame, like the flags
  std::uint32_t flags;
};

// To the caller by any rule and on any stack. `flags`: of the frame that is left.
[[gnu::cold, gnu::noinline]] Step step_oddly(std::uint64_t word, Place& place, std::uint32_t& flags,
                                             StackReader& read) {
  constexpr auto kNeverCalled = std::bit_cast<std::uint64_t>(kNeverCalledRule);
  const auto rule = std::bit_cast<Rule>(word);
  const Rule plain = without_mark(rule);
  flags |= is_own_code(rule) ? kFrameIsOwn : 0;
  Registers registers = {place.pc, place.sp, place.rbp, false};
  Step step = Step::kStuck;
  place.rbp_at = 0;
  place.flags = kFrameReachedOddly;
  if (plain.kind == RuleKind::kUnknown) {
    step = step_by_frame_pointer(registers, read);
    place.rbp_at = registers.sp - 16;
    place.flags = 0;
  } else {
    flags |= plain.kind == RuleKind::kOutermost ? kFrameIsOutermost : 0;
    flags |= plain.kind == RuleKind::kSignal || word == kNeverCalled ? kFrameIsExact : 0;
    step = unwind::step(plain, registers, read);
  }
  place.pc = registers.rule_pc();
  place.sp = registers.sp;
  place.rbp = registers.rbp;
  return step == Step::kCaller && !is_code_address(place.pc) ? Step::kStuck : step;
}

// To the caller by the two rules that nearly all code has, on the thread's own stack. False, and
// nothing done, where that is not the way.
[[gnu::always_inline]] inline bool step_plainly(std::uint64_t rule, Place& place,
                                                const WordRange& home) {
  const bool by_rsp = likely(kind_of(rule) == RuleKind::kRsp);
  if (!by_rsp && kind_of(rule) != RuleKind::kRbp) {
    return false;
  }
  const std::uint64_t cfa = unwind::plus(by_rsp ? place.sp : place.rbp, offset_of(rule));
  if (!likely(cfa > place.sp) || !likely(home.holds(cfa - 8))) {
    return false;
  }
  const std::uint64_t pc = word_at(cfa - 8) - 1;
  if (!likely(is_code_address(pc))) {
    return false;
  }
  std::uint64_t rbp_at = 0;
  if (saved_rbp_of(rule) != SavedRbp::kSame) {
    const std::uint64_t base = likely(saved_rbp_of(rule) == SavedRbp::kAtCfa) ? cfa : place.rbp;
    rbp_at = unwind::plus(base, rbp_offset_of(rule));
    if (!likely(home.holds(rbp_at))) {
      return false;
    }
    place.rbp = word_at(rbp_at);
  }
  place.pc = pc;
  place.sp = cfa;
  place.rbp_at = rbp_at;
  place.flags = 0;
  return true;
}

// To the caller.
Step step_frame(Place& place, std::uint32_t& flags, StackReader& read, std::uint64_t epoch) {
  const std::uint64_t rule = rule_word_at(place.pc, epoch);
  return step_plainly(rule, place, read.home()) ? Step::kCaller
                                                : step_oddly(rule, place, flags, read);
}

Place place_of(const StackFrame& frame) { return {frame.pc, frame.sp, frame.rbp, 0, 0}; }

bool is_at(const StackFrame& frame, const Place& place) {
  return frame.sp == place.sp && frame.pc == place.pc && frame.rbp == place.rbp;
}

// Whether unwinding `inner` leads to `outer`, done in full.
[[gnu::noinline]] bool leads_to(const StackFrame& inner, const StackFrame& outer, StackReader& read,
                                std::uint64_t epoch) {
  Place place = place_of(inner);
  std::uint32_t flags = 0;
  return step_frame(place, flags, read, epoch) == Step::kCaller && is_at(outer, place);
}

// Whether the memo's outermost frame still ends the stack as it did.
[[gnu::noinline]] bool ends_the_same(const UnwindArea& area, StackReader& read,
                                     std::uint64_t epoch) {
  if (area.memo_end == WalkEnd::kStop || (area.memo[0].flags & kFrameIsOutermost) != 0) {
    return true;
  }
  Place place = place_of(area.memo[0]);
  std::uint32_t flags = 0;
  const Step step = step_frame(place, flags, read, epoch);
  return step != Step::kCaller && (step == Step::kStuck) == (area.memo_end == WalkEnd::kStuck);
}

// Frame `at` of the memo is a frame of the stack now. Returns 0 if so are all outer ones; otherwise
// how many of the outermost frames may still be met.
std::uint32_t verify_outer(const UnwindArea& area, std::uint32_t at, StackReader& read,
                           std::uint64_t epoch) {
  const StackFrame* frame = area.memo + at;
  while (frame != area.memo) {
    --frame;
    // The addresses were read when the memo was made, on a stack that stays.
    const std::uint64_t differs = (word_at(frame->sp - 8) - 1 - frame->pc) |
                                  (word_at(frame->rbp_at) - frame->rbp) |
                                  (frame->flags & kFrameReachedOddly);
    if (!likely(differs == 0) &&
        !((frame->flags & kFrameReachedOddly) != 0 && leads_to(frame[1], *frame, read, epoch))) {
      return static_cast<std::uint32_t>(frame - area.memo) + 1;
    }
  }
  return ends_the_same(area, read, epoch) ? 0 : 1;
}

void set_link(StackFrame& frame, std::uint64_t rbp_at, std::uint32_t flags) {
  // A frame whose rbp its callee kept is compared with itself.
  frame.rbp_at = rbp_at != 0 ? rbp_at : reinterpret_cast<std::uint64_t>(&frame.rbp);
  frame.flags = (frame.flags & ~kFrameReachedOddly) | (flags & kFrameReachedOddly);
}

// Whether the memo knows all frames from `place` on. `may_match`: how many of its frames may be
// met, now or later; they were not met before.
[[gnu::noinline]] bool is_known(UnwindArea& area, const Place place, std::uint32_t& may_match,
                                StackReader& read) {
  while (may_match != 0 && area.memo[may_match - 1].sp <= place.sp) {
    StackFrame& known = area.memo[may_match - 1];
    if (is_at(known, place)) {
      const std::uint32_t left = verify_outer(area, may_match - 1, read, area.epoch);
      if (left == 0) {
        set_link(known, place.rbp_at, place.flags);
        return true;
      }
      may_match = left;
    } else if (!read.is_home(place.sp)) {
      return false;  // stack pointers of two stacks don't compare
    } else {
      --may_match;
    }
  }
  return false;
}

// The first stack pointer at which a walk has to look whether it is at its end.
std::uint64_t next_watched(const UnwindArea& area, std::uint64_t stop_sp, std::uint32_t may_match) {
  constexpr std::uint64_t kNever = ~std::uint64_t{0};
  const std::uint64_t after_stop = stop_sp == kNever ? kNever : stop_sp + 1;
  const std::uint64_t known = may_match != 0 ? area.memo[may_match - 1].sp : kNever;
  return known < after_stop ? known : after_stop;
}

Walk walk_frames(UnwindArea& area, const HomeStack& home, StackFrame* out, const Registers& at,
                 std::uint64_t stop_sp, std::uint32_t limit, std::uint32_t may_match) {
  const std::uint64_t epoch = area.epoch;
  StackReader read(home);
  const WordRange home_words = read.home();
  bool elsewhere = !read.is_home(at.sp - 8);  // a frame's return address is not on the home stack
  const StackFrame* end = out + limit;
  StackFrame* frame = out;
  std::uint64_t watched = next_watched(area, stop_sp, may_match);
  Place place = {at.rule_pc(), at.sp, at.rbp, 0, kFrameReachedOddly};
  const auto finish = [&](std::uint32_t kept, const StackFrame* last, WalkEnd why) {
    return Walk{kept, static_cast<std::uint32_t>(last - out), why, elsewhere || read.visited()};
  };
  for (;; ++frame) {
    if (!likely(place.sp < watched)) {
      if (frame != out && place.sp > stop_sp && frame[-1].sp <= stop_sp) {
        frame[-1].flags |= kFrameIsStop;
        return finish(0, frame, WalkEnd::kStop);
      }
      if (is_known(area, place, may_match, read)) {
        return finish(may_match, frame, area.memo_end);
      }
      watched = next_watched(area, stop_sp, may_match);
    }
    frame->pc = place.pc;
    frame->sp = place.sp;
    frame->rbp = place.rbp;
    frame->rbp_at = place.rbp_at;
    frame->flags = place.flags;
    if (!likely(frame + 1 != end)) {
      return finish(0, end, WalkEnd::kLimit);
    }
    const std::uint64_t rule = rule_word_at(place.pc, epoch);
    if (likely(step_plainly(rule, place, home_words))) {
      continue;
    }
    Place caller = place;  // `place` may stay in the machine's registers
    const Step step = step_oddly(rule, caller, frame->flags, read);
    if (step != Step::kCaller) {
      return finish(0, frame + 1, step == Step::kOutermost ? WalkEnd::kOutermost : WalkEnd::kStuck);
    }
    place = caller;
    elsewhere |= !read.is_home(place.sp - 8);
  }
}

}  // namespace

Walk start_walk(UnwindArea& area, const Registers& at, std::uint64_t stop_sp, std::uint32_t limit) {
  settle_home(area.home, at.sp - 8);
  const Walk walk = walk_frames(area, area.home, area.fresh, at, stop_sp, limit, area.memo_count);
  if (walk.kept + walk.count < limit || walk.end == WalkEnd::kLimit) {
    return walk;
  }
  // A stack cut at the limit must not depend on what was remembered.
  area.memo_count = 0;
  return walk_frames(area, area.home, area.fresh, at, stop_sp, limit, 0);
}

Walk start_nested_walk(UnwindArea& area, const Registers& at, std::uint64_t stop_sp,
                       std::uint32_t limit) {
  constexpr HomeStack kUnknownHome = {};  // area.home is being worked on
  return walk_frames(area, kUnknownHome, area.nested, at, stop_sp, limit, 0);
}

void finish_walk(UnwindArea& area, const Walk& walk) {
  if (is_lasting(walk)) {
    area.memo_count = walk.kept + walk.count;
    area.memo_end = walk.end;
  } else if (walk.kept != 0) {
    area.memo_count = walk.kept;  // the innermost of them is linked to frames that don't stay
  }
}

}  // namespace spyglass::runtime
