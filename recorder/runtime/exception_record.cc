// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/exception_record.h"

#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/session.h"

namespace spyglass::runtime {
namespace {

using format::Lane;
using format::Node;

constexpr std::uint32_t kMostThrows = 24;
constexpr std::uint32_t kDepthLimit = 65536;
constexpr std::uint32_t kTextLimit = 128;
constexpr std::uint32_t kNameLimit = 4096;

struct PendingThrow {
  OpenOperation open;
  Thrown thrown;
  std::uint32_t depth;  // functions on the stack
};

// A handler that interrupts works above `count` and leaves it as it was.
struct PendingThrows {
  std::uint32_t count;
  std::uint32_t is_terminating;  // std::terminate() was called
  PendingThrow throws[kMostThrows];
};
static_assert(sizeof(Lane) + sizeof(PendingThrows) <= format::kLookupDistance);

PendingThrows& pending_of_lane(const Lane* lane) {
  return *reinterpret_cast<PendingThrows*>(reinterpret_cast<std::uint64_t>(lane) +
                                           format::kLookupDistance - sizeof(PendingThrows));
}

Lane* own_lane() { return g_fork_page.recording != 0 ? t_thread.lane : nullptr; }

// How many functions `node` is deep.
std::uint32_t depth_of(const Lane* lane, const Node* node) {
  std::uint32_t depth = 0;
  for (std::uint32_t seen = 0; node->parent != 0 && seen < kDepthLimit; ++seen) {
    const std::uint64_t tag = node->address & format::kTagMask;
    depth += tag == 0 || tag == format::kPcTag ? 1U : 0U;
    node = node_at(lane, node->parent);
  }
  return depth;
}

std::uint32_t length_of(const char* text, std::uint32_t limit) {
  std::uint32_t bytes = 0;
  while (text != nullptr && bytes < limit && text[bytes] != 0) {
    ++bytes;
  }
  return bytes;
}

// `catcher`: null when nobody caught it.
void push_exception(Lane* lane, const PendingThrow& pending, const Node* catcher,
                    std::uint64_t duration_ticks, TextOf text_of) {
  EventParts event = {};
  event.kind = static_cast<std::uint32_t>(format::EventKind::kException);
  event.node_cell = pending.open.object_cell;
  event.start_ticks = pending.open.start_ticks;
  event.duration_ticks = duration_ticks;
  if (catcher != nullptr) {
    const std::uint32_t depth = depth_of(lane, catcher);
    event.other_cell = cell_of(lane, catcher);
    event.other_lane = index_of(lane);
    event.value = pending.depth > depth ? pending.depth - depth : 0;
  }
  if (text_of != nullptr && pending.thrown.object != nullptr) {
    event.text = text_of(pending.thrown);
  }
  event.text_bytes = length_of(event.text, kTextLimit);
  push_event(lane, event, true);
}

// Gives up all from `first` on.
void push_escapes(Lane* lane, PendingThrows& pending, std::uint64_t first, TextOf text_of) {
  const std::uint64_t now_ticks = ticks();
  while (pending.count > first) {
    const PendingThrow last = pending.throws[pending.count - 1];
    pending.count -= 1;
    if (last.open.lane == lane) {
      push_exception(lane, last, nullptr, now_ticks - last.open.start_ticks, text_of);
    }
  }
}

void give_up_outermost(Lane* lane, PendingThrows& pending) {
  push_exception(lane, pending.throws[0], nullptr, ticks() - pending.throws[0].open.start_ticks,
                 nullptr);
  for (std::uint32_t i = 1; i < kMostThrows; ++i) {
    pending.throws[i - 1] = pending.throws[i];
  }
  pending.count -= 1;
}

}  // namespace

const char* call_muted(const char* (*function)(const void*), const void* object) {
  const ThreadState saved = t_thread;
  // In this order: a handler that finds neither a lane nor the mark would set up another lane.
  t_thread.busy = kThreadMuted;
  signal_fence();
  t_thread.lane = nullptr;
  signal_fence();
  const char* text = function(object);
  signal_fence();
  t_thread.lane = saved.lane;
  signal_fence();
  t_thread.busy = saved.busy;
  return text;
}

bool throws_pending() {
  const Lane* lane = own_lane();
  return lane != nullptr && pending_of_lane(lane).count != 0;
}

void record_throw(format::Operation operation, const StackPoint& caller, const Thrown& thrown,
                  const char* type_name) {
  if (!records(format::OperationClass::kException) || t_thread.busy == kThreadMuted) {
    return;
  }
  // A terminate handler, libstdc++'s for one, rethrows what escaped to see what it is.
  const Lane* own = own_lane();
  if (operation != format::Operation::k___cxa_throw && own != nullptr &&
      pending_of_lane(own).is_terminating != 0) {
    return;
  }
  std::uint32_t type = 0;
  if (type_name != nullptr) {
    type = find_object(format::ObjectKind::kExceptionType, 0, type_name,
                       length_of(type_name, kNameLimit), caller.pc - 1);
  }
  const OpenOperation open = begin_operation(operation, caller, type);
  Lane* lane = open.lane;
  if (lane == nullptr) {
    return;
  }
  PendingThrows& pending = pending_of_lane(lane);
  if (pending.count >= kMostThrows) {
    give_up_outermost(lane, pending);
  }
  PendingThrow& mine = pending.throws[pending.count];
  mine.open.lane = nullptr;
  signal_fence();
  pending.count += 1;
  signal_fence();
  mine = {open, thrown, depth_of(lane, node_at(lane, open.object_cell))};
}

void record_catch(const void* object, const StackPoint& at, bool by_runtime, TextOf text_of) {
  const std::uint64_t now_ticks = ticks();
  Lane* lane = own_lane();
  if (lane == nullptr) {
    return;
  }
  PendingThrows& pending = pending_of_lane(lane);
  std::uint32_t index = pending.count;
  while (index != 0 && pending.throws[index - 1].thrown.object != object) {
    --index;
  }
  if (index == 0) {
    return;
  }
  push_escapes(lane, pending, index, nullptr);
  const PendingThrow mine = pending.throws[index - 1];
  pending.count = index - 1;
  if (mine.open.lane != lane) {
    return;
  }
  if (by_runtime && at.sp <= mine.open.sp) {
    push_exception(lane, mine, nullptr, now_ticks - mine.open.start_ticks, text_of);
    return;
  }
  end_operation(mine.open, {});
  prepare_call(lane, at);  // the frames between are gone
  push_exception(lane, mine, calling_context(lane, at), now_ticks - mine.open.start_ticks, text_of);
}

void record_termination(const StackPoint& caller, TextOf text_of) {
  const OpenOperation open = begin_operation(format::Operation::k_std_terminate, caller, 0);
  if (open.lane != nullptr) {
    end_operation(open, {});  // never returns
    record_escapes(open.lane, text_of);
    pending_of_lane(open.lane).is_terminating = 1;
  }
}

void record_escapes(Lane* lane, TextOf text_of) {
  push_escapes(lane, pending_of_lane(lane), 0, text_of);
}

void forget_throws(Lane* lane) {
  pending_of_lane(lane).count = 0;
  pending_of_lane(lane).is_terminating = 0;
}

}  // namespace spyglass::runtime
