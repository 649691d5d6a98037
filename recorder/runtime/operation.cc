// SPDX-License-Identifier: Apache-2.0
#include "recorder/runtime/operation.h"

#include "recorder/runtime/calling_context.h"
#include "recorder/runtime/clock.h"
#include "recorder/runtime/context_tree.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/record.h"
#include "recorder/runtime/session.h"
#include "recorder/runtime/span_ring.h"

namespace spyglass::runtime {
namespace {

using format::Lane;
using format::Node;

constexpr std::uint64_t kEventPatienceNs = 2'000'000'000;

std::uint64_t* words_of(const char* text, std::uint32_t bytes, std::uint64_t* words) {
  for (std::uint32_t at = 0; at < bytes; at += 8) {
    std::uint64_t word = 0;
    for (std::uint32_t i = 0; i < 8 && at + i < bytes; ++i) {
      word |= std::uint64_t{static_cast<unsigned char>(text[at + i])} << (8 * i);
    }
    *words++ = word;
  }
  return words;
}

}  // namespace

bool records(format::OperationClass kind) {
  return g_session.state.load(std::memory_order_acquire) == SessionState::kOn &&
         (g_session.arena->options.operations >> static_cast<unsigned>(kind) & 1U) != 0;
}

bool is_current(const OpenOperation& open) {
  return open.lane != nullptr && open.lane == t_thread.lane && g_fork_page.recording != 0;
}

bool records_all_threads() {
  if (g_session.state.load(std::memory_order_acquire) != SessionState::kOn) {
    return false;
  }
  const format::RecordingOptions& options = g_session.arena->options;
  return options.operations != 0 || options.sampler != format::SamplerKind::kOff;
}

OpenOperation begin_operation(format::Operation operation, const StackPoint& caller,
                              std::uint32_t object) {
  Lane* lane = ready_lane();
  if (lane == nullptr || !prepare_call(lane, caller)) {
    return {};
  }
  const std::uint64_t sp = operation_sp(caller);
  const std::uint64_t address = format::kOperationTag | static_cast<std::uint64_t>(operation);
  Node* node = find_tagged(lane, calling_context(lane, caller), address);
  std::uint64_t flags = 0;
  if (node == nullptr) {
    node = flat_node(lane, address);
    flags = format::kEntryFolded;
    if (node == nullptr) {
      lane->deep_calls_lost += 1;
      return {};
    }
    lane->folded_calls += 1;
  }
  open_call(lane, node, sp, flags);
  if (object != 0) {
    if (Node* below = find_tagged(lane, node, format::kObjectTag | object)) {
      node = below;
      open_call(lane, node, sp, 0);
    }
  }
  return {lane, sp, top_of(lane)->start_ticks, cell_of(lane, node)};
}

void set_object(OpenOperation& open, std::uint32_t object) {
  Lane* lane = open.lane;
  if (object == 0 || !is_current(open) || top_of(lane)->sp != open.sp ||
      lane->top - sizeof(format::Entry) < lane->stack_limit) {
    return;
  }
  if (Node* below =
          find_tagged(lane, node_at(lane, open.object_cell), format::kObjectTag | object)) {
    open_call(lane, below, open.sp, 0);
    top_of(lane)->start_ticks = open.start_ticks;
    open.object_cell = cell_of(lane, below);
  }
}

std::uint64_t end_operation(const OpenOperation& open, OperationResult result) {
  const std::uint64_t now_ticks = ticks();
  Lane* lane = open.lane;
  if (!is_current(open)) {
    return 0;
  }
  if ((result.bytes != 0 || result.failed) && open.object_cell != 0) {
    if (format::NodeExtension* extension = extension_of(lane, node_at(lane, open.object_cell))) {
      extension->bytes += result.bytes;
      extension->errors += result.failed ? 1 : 0;
    }
  }
  return close_calls(lane, open.sp, now_ticks) ? now_ticks - open.start_ticks : 0;
}

void push_event(Lane* lane, const EventParts& event, bool keep) {
  if (!make_room_for_event(lane, keep ? kEventPatienceNs : 0)) {
    lane->events_dropped += 1;
    return;
  }
  std::uint64_t words[format::kMaxEventContinuations];
  words[0] = event.duration_ticks;
  words[1] = std::uint64_t{event.other_lane} << 32U | event.other_cell;
  words[2] = event.value;
  constexpr std::uint32_t kTextBytes = 8 * (format::kMaxEventContinuations - format::kEventTextAt);
  const std::uint32_t text_bytes = event.text_bytes < kTextBytes ? event.text_bytes : kTextBytes;
  std::uint64_t* end = words_of(event.text, text_bytes, words + format::kEventTextAt);
  while (end != words && end[-1] == 0) {
    --end;  // absent means 0
  }
  const auto count = static_cast<std::uint64_t>(end - words);
  const std::uint64_t position = reserve_records(lane, count + 1);
  for (std::uint64_t i = 0; i < count; ++i) {
    write_record(lane, position + 1 + i, words[i],
                 record_head(format::RingKind::kContinuation, event.node_cell));
  }
  write_record(lane, position, event.start_ticks,
               record_head(format::RingKind::kEvent, event.node_cell) |
                   count << format::kEventContinuationsShift | event.kind);
  if (position + count >= lane->doorbell_at) {
    ring_doorbell(lane);
  }
}

}  // namespace spyglass::runtime
