// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/event_sums.h"

#include "format/operation.h"

namespace spyglass::model {

// The slot of a node that must not be left out of the tree; the root's for 0.
std::uint32_t EventSums::refer(std::uint32_t node) {
  if (node == 0) {
    return NodeTable::kRootSlot;
  }
  const std::uint32_t slot = nodes_.slot(node);
  nodes_[slot].referred = true;
  return slot;
}

// 0 where there is none.
std::uint32_t EventSums::object_at(std::uint32_t slot) const {
  return nodes_[slot].role == Role::kObject ? nodes_.role_of_site(nodes_[slot].site).number : 0;
}

void EventSums::see(std::uint32_t thread, const format::EventRecord& event) {
  const std::uint64_t end_ticks = event.start_ticks + event.duration_ticks;
  if (end_ticks < range_.start || event.start_ticks > range_.end) {
    return;
  }
  switch (event.kind) {
    case format::EventKind::kSample:
      return;  // counted in metrics
    case format::EventKind::kContention:
      see_contention(thread, event);
      return;
    case format::EventKind::kException:
      see_exception(event);
      return;
    case format::EventKind::kFatalSignal:
      if (fatal_signals_.size() < kMostFatalSignals) {
        fatal_signals_.push_back(
            {thread, refer(event.node), event.value, event.start_ticks, event.text});
      }
      return;
    case format::EventKind::kLockOrder:
      see_order(thread, event);
      return;
  }
}

void EventSums::see_contention(std::uint32_t thread, const format::EventRecord& event) {
  const std::uint32_t node = refer(event.node);
  const std::uint32_t holder_node = refer(event.other_node);
  Sum& sum = contention_[{object_at(node), event.other_thread,
                          static_cast<std::uint32_t>(event.value), holder_node}];
  sum.count += 1;
  sum.ticks += event.duration_ticks;
  if (event.text == format::kStillWaiting && object_at(node) != 0) {
    unfinished_[thread] = {node, event.other_thread, holder_node, event.duration_ticks};
  }
}

void EventSums::see_exception(const format::EventRecord& event) {
  Exceptions& flow = exceptions_[{refer(event.node), refer(event.other_node)}];
  flow.sum.count += 1;
  flow.sum.ticks += event.duration_ticks;
  flow.sum.value += event.value;
  if (event.text.empty()) {
    return;
  }
  const auto known = flow.texts.find(event.text);
  if (known != flow.texts.end()) {
    known->second += 1;
  } else if (flow.texts.size() < kMostTexts) {
    flow.texts.emplace(event.text, 1);
  } else {
    flow.other_texts += 1;
  }
}

void EventSums::see_order(std::uint32_t thread, const format::EventRecord& event) {
  const std::uint32_t taken = refer(event.node);
  const std::uint32_t held = refer(event.other_node);
  if (object_at(taken) == 0 || object_at(held) == 0) {
    return;
  }
  Order& order = orders_[{object_at(held), object_at(taken)}];
  if (order.count++ == 0) {
    order.held_node = held;
    order.taken_node = taken;
  }
  if (order.takers.size() < kMostTakers) {
    order.takers.emplace(thread, event.value);
  }
}

}  // namespace spyglass::model
