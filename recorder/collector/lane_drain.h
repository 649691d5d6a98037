// SPDX-License-Identifier: Apache-2.0
// lane_drain.h - spans and events from a lane's ring to the recording.
//
// Guarantees: each committed record is taken exactly once, or counted (overwritten, damaged). A
// record that was reserved but never written is waited for while its thread lives and skipped when
// it is dead.
//
//   Where    collector thread.
//   Errors   the ring is untrusted: lap parity, node, times are checked; each word is read once.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "recorder/collector/arena_owner.h"
#include "recorder/collector/lane_nodes.h"
#include "recorder/collector/lane_view.h"

namespace spyglass::collector {

class Recording;

class LaneDrain {
 public:
  LaneDrain(const Arena& arena, LaneNodes& nodes, Recording& recording, format::OnFull on_full,
            std::uint64_t session_start_ticks);

  // Takes what the ring holds; `final`: the owner is dead. Returns how many positions were passed.
  std::uint64_t drain(LaneView& view, bool final);
  // The thread ended at `end_ticks` while it waited for a lock: says who had it.
  void add_unfinished_wait(LaneView& view, std::uint64_t end_ticks);
  // The lane ends; who waited for a lock of its thread may say so only later.
  void remember(const LaneView& view);
  // Lanes by index, where an event may name a node of another thread; outlives this.
  void know_lanes(const std::vector<std::unique_ptr<LaneView>>& views) { views_ = &views; }
  // Hands the gathered spans, events and allocations to the recording.
  void write_spans(LaneView& view);
  // Spans that wait in all lanes.
  std::uint64_t waiting_spans() const { return waiting_spans_; }

 private:
  std::uint64_t take(LaneView& view, const std::uint64_t* records, std::uint64_t mask,
                     std::uint64_t first, std::uint64_t end, std::uint64_t head, bool final);
  struct Ring {
    const std::uint64_t* records;
    std::uint64_t mask;
    unsigned shift;
    std::uint64_t word0(std::uint64_t position) const;
    std::uint64_t word1(std::uint64_t position) const;  // lap parity removed
  };
  bool take_long(LaneView& view, const Ring& ring, std::uint64_t position, std::uint64_t end,
                 std::uint64_t more);
  std::size_t read_continuations(const Ring& ring, std::uint64_t position, std::uint64_t end,
                                 std::span<std::uint64_t> words) const;
  void mend(const LaneView& view, std::uint64_t position);
  std::uint64_t take_overwritable(LaneView& view, std::uint64_t head, bool final);
  void add_span(LaneView& view, std::uint32_t cell, std::uint64_t start_ticks,
                std::uint64_t duration_ticks);
  void add_event(LaneView& view, std::uint64_t start_ticks, std::uint64_t head,
                 std::span<const std::uint64_t> words);
  void add_allocation(LaneView& view, std::uint64_t ticks, std::uint64_t head,
                      std::uint64_t address, std::uint64_t bytes);
  void find_other(std::uint64_t word, format::EventRecord& event);
  void find_holder(LaneView& view, std::uint64_t word, format::EventRecord& event);
  bool makes_sense(std::uint64_t start_ticks, std::uint64_t end_ticks) const;
  void publish_tail(LaneView& view);

  const Arena& arena_;
  LaneNodes& nodes_;
  struct EndedLane {
    std::uint32_t process = 0;  // id
    std::uint32_t tid = 0;      // as the process sees it
    std::uint32_t thread = 0;   // id
    std::vector<std::uint32_t> cell_nodes;
  };
  const std::vector<std::unique_ptr<LaneView>>* views_ = nullptr;
  std::deque<EndedLane> ended_;  // the last few
  Recording& recording_;
  format::OnFull on_full_;
  std::uint64_t session_start_ticks_;
  std::uint64_t latest_ticks_ = 0;  // no call can have ended after this
  std::uint64_t waiting_spans_ = 0;
  bool busy_ = false;  // rings fill faster than the best compression is worth
  std::vector<std::uint64_t> copied_;
};

}  // namespace spyglass::collector
