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

std::uint64_t word_at(std::uint64_t address) {
  return *reinterpret_cast<const std::uint64_t*>(address);
}

bool is_code_address(std::uint64_t pc) { return pc >> kCodeAddressBits == 0; }

// Where code has no rule: it may keep a frame pointer.
Step step_by_frame_pointer(Registers& registers, StackReader& read) {
  if (registers.rbp < registers.sp) {
    return Step::kStuck;
  }
  return unwind::step(unwind::kFramePointerRule, registers, read);
}

// From `frame` to its caller, `caller`, by any rule.
[[gnu::noinline]] Step step_oddly(const Rule& rule, StackFrame& frame, StackFrame& caller,
                                  StackReader& read) {
  const Rule plain = without_mark(rule);
  if (is_own_code(rule)) {
    frame.flags |= kFrameIsOwn;
  }
  Registers registers = {frame.pc, frame.sp, frame.rbp, false};
  Step step = Step::kStuck;
  caller = {0, 0, 0, 0, 0, kFrameReachedOddly};
  if (plain.kind == RuleKind::kUnknown) {
    step = step_by_frame_pointer(registers, read);
    caller.rbp_at = registers.sp - 16;
    caller.flags = 0;
  } else {
    frame.flags |= plain.kind == RuleKind::kSignal      ? kFrameIsSignal
                   : plain.kind == RuleKind::kOutermost ? kFrameIsOutermost
                                                        : 0;
    step = unwind::step(plain, registers, read);
  }
  caller.pc = registers.rule_pc();
  caller.sp = registers.sp;
  caller.rbp = registers.rbp;
  return step == Step::kCaller && !is_code_address(caller.pc) ? Step::kStuck : step;
}

// From `frame` to its caller, `caller`. The two rules that nearly all code has are done here.
[[gnu::always_inline]] inline Step step_frame(StackFrame& frame, StackFrame& caller,
                                              StackReader& read, std::uint64_t epoch) {
  const Rule rule = rule_at(frame.pc, epoch);
  std::uint64_t cfa = 0;
  if (likely(rule.kind == RuleKind::kRsp)) {
    cfa = unwind::plus(frame.sp, rule.offset);
  } else if (rule.kind == RuleKind::kRbp) {
    cfa = unwind::plus(frame.rbp, rule.offset);
  } else {
    return step_oddly(rule, frame, caller, read);
  }
  std::uint64_t return_address = 0;
  if (!likely(cfa > frame.sp) || !likely(read(cfa - 8, return_address))) {
    return Step::kStuck;
  }
  caller.pc = return_address - 1;
  caller.sp = cfa;
  caller.rbp = frame.rbp;
  caller.rbp_at = 0;
  caller.cell = 0;
  caller.flags = 0;
  if (rule.saved_rbp != SavedRbp::kSame) {
    const std::uint64_t base = likely(rule.saved_rbp == SavedRbp::kAtCfa) ? cfa : frame.rbp;
    caller.rbp_at = unwind::plus(base, rule.rbp_slot * 8);
    if (!likely(read(caller.rbp_at, caller.rbp))) {
      return Step::kStuck;
    }
  }
  if (likely(is_code_address(caller.pc))) {
    return Step::kCaller;
  }
  return return_address == 0 ? Step::kOutermost : Step::kStuck;
}

bool same_place(const StackFrame& a, const StackFrame& b) {
  return a.sp == b.sp && a.pc == b.pc && a.rbp == b.rbp;
}

// Whether unwinding `inner` leads to `outer`, done in full.
[[gnu::noinline]] bool leads_to(const StackFrame& inner, const StackFrame& outer, StackReader& read,
                                std::uint64_t epoch) {
  StackFrame frame = inner;
  StackFrame caller;
  return step_frame(frame, caller, read, epoch) == Step::kCaller && same_place(caller, outer);
}

// Whether the memo's outermost frame still ends the stack as it did.
[[gnu::noinline]] bool ends_the_same(const UnwindArea& area, StackReader& read,
                                     std::uint64_t epoch) {
  if (area.memo_end == WalkEnd::kStop || (area.memo[0].flags & kFrameIsOutermost) != 0) {
    return true;
  }
  StackFrame frame = area.memo[0];
  StackFrame caller;
  const Step step = step_frame(frame, caller, read, epoch);
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

void set_link(StackFrame& frame, const StackFrame& reached) {
  constexpr std::uint32_t kLinkFlags = kFrameReachedOddly;
  // A frame whose rbp its callee kept is compared with itself.
  frame.rbp_at = reached.rbp_at != 0 ? reached.rbp_at : reinterpret_cast<std::uint64_t>(&frame.rbp);
  frame.flags = (frame.flags & ~kLinkFlags) | (reached.flags & kLinkFlags);
}

// `may_match`: how many of the memo's frames may be met.
Walk walk_frames(UnwindArea& area, const HomeStack& home, StackFrame* out, const Registers& at,
                 std::uint64_t stop_sp, std::uint32_t limit, std::uint32_t may_match) {
  const std::uint64_t epoch = area.epoch;
  StackReader read(home);
  bool elsewhere = !read.is_home(at.sp - 8);  // a frame's return address is not on the home stack
  StackFrame* end = out + limit;
  StackFrame* frame = out;
  *frame = {at.rule_pc(), at.sp, at.rbp, 0, 0, kFrameReachedOddly};
  const auto finish = [&](std::uint32_t kept, const StackFrame* last, WalkEnd why) {
    return Walk{kept, static_cast<std::uint32_t>(last - out), why, elsewhere || read.visited()};
  };
  for (;; ++frame) {
    while (may_match != 0 && area.memo[may_match - 1].sp <= frame->sp) {
      StackFrame& known = area.memo[may_match - 1];
      if (same_place(known, *frame)) {
        const std::uint32_t left = verify_outer(area, may_match - 1, read, epoch);
        if (left == 0) {
          set_link(known, *frame);
          return finish(may_match, frame, area.memo_end);
        }
        may_match = left;
      } else if (!read.is_home(frame->sp)) {
        break;  // stack pointers of two stacks don't compare
      } else {
        --may_match;
      }
    }
    if (frame + 1 == end) {
      return finish(0, end, WalkEnd::kLimit);
    }
    switch (step_frame(*frame, frame[1], read, epoch)) {
      case Step::kCaller:
        if (!likely(frame[1].flags == 0)) {
          elsewhere |= !read.is_home(frame[1].sp - 8);
        }
        break;
      case Step::kOutermost:
        return finish(0, frame + 1, WalkEnd::kOutermost);
      case Step::kStuck:
        return finish(0, frame + 1, WalkEnd::kStuck);
    }
    if (frame->sp <= stop_sp && frame[1].sp > stop_sp) {
      frame->flags |= kFrameIsStop;
      return finish(0, frame + 1, WalkEnd::kStop);
    }
  }
}

}  // namespace

Walk start_walk(UnwindArea& area, const Registers& at, std::uint64_t stop_sp, std::uint32_t limit) {
  settle_home(area.home, at.sp - 8);
  const Walk walk = walk_frames(area, area.home, area.fresh, at, stop_sp, limit, area.memo_count);
  if (walk.kept + walk.count < limit) {
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

void keep_walk(UnwindArea& area, const Walk& walk) {
  if (walk.end == WalkEnd::kLimit) {
    area.memo_count = 0;
    return;
  }
  if (walk.visited) {
    area.memo_count = walk.kept;
    return;
  }
  StackFrame* to = area.memo + walk.kept;
  for (const StackFrame* frame = area.fresh + walk.count; frame != area.fresh; ++to) {
    --frame;
    *to = *frame;
    set_link(*to, *frame);
  }
  area.memo_count = walk.kept + walk.count;
  area.memo_end = walk.end;
}

}  // namespace spyglass::runtime
