// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/calling_context.h"

#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/unwind_area.h"
#include "recorder/runtime/unwind_rules.h"
#include "recorder/runtime/unwind_walk.h"

namespace spyglass::runtime {
namespace {

using format::Lane;
using format::Node;

std::uint32_t frame_limit() {
  const std::uint32_t asked = g_session.arena->options.max_stack_frames;
  return asked == 0 ? kDefaultFrames : asked < kMaxFrames ? asked : kMaxFrames;
}

// Where the outermost frame of the stack hangs.
Node* parent_of_stack(Lane* lane, Node* base, WalkEnd end) {
  if (end == WalkEnd::kOutermost || end == WalkEnd::kStop) {
    return base;
  }
  Node* mark = find_tagged(lane, base, format::kTruncatedTag);
  return mark != nullptr ? mark : base;
}

// The frame's node below `parent`; for frames that are not shown, `parent`. 0 past the tree's
// bound.
[[gnu::noinline]] std::uint32_t find_frame(Lane* lane, std::uint32_t parent,
                                           const StackFrame& frame) {
  if ((frame.flags & (kFrameIsOwn | kFrameIsStop)) != 0) {
    return parent;
  }
  const std::uint64_t pc = (frame.flags & kFrameIsExact) != 0 ? frame.pc + 1 : frame.pc;
  const Node* node = find_tagged(lane, node_at(lane, parent), format::kPcTag | pc);
  return node == nullptr ? 0 : cell_of(lane, node);
}

// Where frames are hung.
struct Place {
  std::uint32_t parent;
  bool full;  // frames further out are left out already
};

// As hooks look children up. False if the table does not know the frame's node, or if the frame is
// one of the few that are not hung by their address.
[[gnu::always_inline]] inline bool find_known(Lane* lane, std::uint32_t parent,
                                              const StackFrame& frame, std::uint32_t& cell) {
  constexpr std::uint32_t kSpecial = kFrameIsOwn | kFrameIsStop | kFrameIsExact;
  const std::uint64_t address = format::kPcTag | frame.pc;
  cell = *lookup_slot(lane, parent, address);
  const Node* node = node_at(lane, cell);
  return !rare(node->parent != parent) && !rare(node->address != address) &&
         !rare((frame.flags & kSpecial) != 0);
}

// Past the tree's bound: keeps the frames that are left out, as attach() does.
template <bool kKeep>
[[gnu::cold, gnu::noinline]] std::uint32_t leave_out(Lane* lane, std::uint32_t parent,
                                                     const StackFrame* begin, const StackFrame* end,
                                                     StackFrame* memo) {
  if constexpr (kKeep) {
    while (end != begin) {
      --end;
      keep_frame(*memo, *end, parent);
      memo->flags |= kFrameIsLeftOut;
      ++memo;
    }
  }
  lane->stacks_shortened += 1;
  return parent;
}

// Hangs `count` frames, innermost first, and keeps them at `memo` if it is not null, outermost
// first. Returns the innermost one's cell. Past the tree's bound the inner frames are left out.
template <bool kKeep>
std::uint32_t attach(Lane* lane, Place place, const StackFrame* frames, std::uint32_t count,
                     StackFrame* memo) {
  std::uint32_t parent = place.parent;
  const StackFrame* end = frames + count;
  if (rare(place.full)) {
    return leave_out<kKeep>(lane, parent, frames, end, memo);
  }
  while (end != frames) {
    const StackFrame& frame = end[-1];
    std::uint32_t cell = 0;
    if (!find_known(lane, parent, frame, cell)) {
      cell = find_frame(lane, parent, frame);
      if (cell == 0) {
        return leave_out<kKeep>(lane, parent, frames, end, memo);
      }
    }
    parent = cell;
    if constexpr (kKeep) {
      keep_frame(*memo, frame, cell);
      ++memo;
    }
    --end;
  }
  return parent;
}

void count_truncation(Lane* lane, WalkEnd end) {
  if (end == WalkEnd::kStuck || end == WalkEnd::kLimit) {
    lane->stacks_truncated += 1;
  }
}

// The area may have been another thread's, which ended somewhere. A handler that comes in between
// does all of it again.
void claim(UnwindArea& area, const Lane* lane) {
  area.home = {};
  area.memo_count = 0;
  area.depth = 0;
  signal_fence();
  area.owner = lane->birth_ticks;
  signal_fence();
}

// What was remembered of another place in the tree or of unloaded code is void.
void refresh(UnwindArea& area, const Lane* lane, const OpenCall& base) {
  const std::uint64_t epoch = g_rule_epoch.load(std::memory_order_acquire);
  const std::uint32_t cell = cell_of(lane, base.node);
  if (area.epoch != epoch || area.stop_sp != base.sp || area.stop_cell != cell) {
    area.epoch = epoch;
    area.stop_sp = base.sp;
    area.stop_cell = cell;
    area.memo_count = 0;
  }
}

// A handler jumped out of the unwind that began at area.outer_sp: its caller's frame is gone.
bool was_left(const UnwindArea& area, std::uint64_t sp) {
  return area.home.words.holds(sp) && area.home.words.holds(area.outer_sp) && sp > area.outer_sp;
}

[[gnu::cold, gnu::noinline]] Node* unwind_in_handler(Lane* lane, UnwindArea& area,
                                                     const unwind::Registers& at,
                                                     const OpenCall& base) {
  if (area.depth != 1) {
    lane->stacks_truncated += 1;
    return parent_of_stack(lane, base.node, WalkEnd::kLimit);
  }
  area.depth = 2;
  signal_fence();
  const Walk walk = start_nested_walk(area, at, base.sp, frame_limit());
  const Node* parent = parent_of_stack(lane, base.node, walk.end);
  const std::uint32_t cell =
      attach<false>(lane, {cell_of(lane, parent), false}, area.nested, walk.count, nullptr);
  count_truncation(lane, walk.end);
  signal_fence();
  area.depth = 1;
  return node_at(lane, cell);
}

// Below what the memo kept, else where the stack's outermost frame hangs.
inline Place place_of(Lane* lane, const UnwindArea& area, const OpenCall& base, const Walk& walk) {
  if (walk.kept == 0) {
    return {cell_of(lane, parent_of_stack(lane, base.node, walk.end)), false};
  }
  const StackFrame& known = area.memo[walk.kept - 1];
  return {known.cell, (known.flags & kFrameIsLeftOut) != 0};
}

}  // namespace

format::Node* calling_context(Lane* lane, const StackPoint& point) {
  const OpenCall base = innermost_call(lane);
  if (base.past_depth || point.pc >> kCodeAddressBits != 0) {
    return base.node;
  }
  UnwindArea* found = area_of(lane);
  if (found == nullptr) {
    lane->stacks_truncated += 1;
    return base.node;
  }
  UnwindArea& area = *found;
  const unwind::Registers at = {point.pc, point.sp, point.rbp, point.after_call};
  if (rare(area.owner != lane->birth_ticks)) {
    claim(area, lane);
  }
  if (rare(area.depth != 0)) {
    if (!was_left(area, point.sp)) {
      return unwind_in_handler(lane, area, at, base);
    }
    area.memo_count = 0;
  }
  area.depth = 1;
  area.outer_sp = point.sp;
  area.starts += 1;
  const std::uint64_t start = area.starts;
  signal_fence();
  refresh(area, lane, base);
  const Walk walk = start_walk(area, at, base.sp, frame_limit());
  const Place place = place_of(lane, area, base, walk);
  const std::uint32_t cell =
      is_lasting(walk) ? attach<true>(lane, place, area.fresh, walk.count, area.memo + walk.kept)
                       : attach<false>(lane, place, area.fresh, walk.count, nullptr);
  count_truncation(lane, walk.end);
  finish_walk(area, walk);
  signal_fence();
  if (rare(*const_cast<volatile std::uint64_t*>(&area.starts) != start)) {
    area.memo_count = 0;  // a handler took this unwind for left, and used its memory
  }
  area.depth = 0;
  return node_at(lane, cell);
}

}  // namespace spyglass::runtime
