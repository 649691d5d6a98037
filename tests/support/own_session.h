// SPDX-License-Identifier: Apache-2.0
// own_session.h - lets this very process record into an arena of its own, without a collector.
#pragma once

#include <stdexcept>

#include "recorder/collector/arena_owner.h"
#include "recorder/runtime/bucket_table.h"
#include "recorder/runtime/lane.h"
#include "recorder/runtime/session.h"

namespace spyglass {

class OwnSession {
 public:
  explicit OwnSession(const format::RecordingOptions& options)
      : arena_(make_arena(options)), before_(runtime::g_session.state.load()) {
    runtime::Session& session = runtime::g_session;
    session.arena = &arena_.header();
    session.mapped_bytes = arena_.geometry().arena_bytes;
    session.lane_limit = arena_.geometry().lane_count;
    session.process = &arena_.process(0);
    session.process->state = format::ProcessState::kLive;
    session.process_slot = 0;
    session.thread_key = ~std::uint32_t{0};
    session.state = runtime::SessionState::kOn;
    runtime::fill_bucket_table(std::uint64_t{1} << 62U);
    runtime::t_thread = {};
    runtime::g_fork_page.recording = 1;
  }
  ~OwnSession() {
    runtime::g_fork_page.recording = 0;
    runtime::t_thread = {};
    runtime::g_session.state = before_;
  }
  OwnSession(const OwnSession&) = delete;
  OwnSession& operator=(const OwnSession&) = delete;

  const collector::Arena& arena() const { return arena_; }
  // The calling thread's.
  static format::Lane* lane() { return runtime::ready_lane(); }

 private:
  static collector::Arena make_arena(format::RecordingOptions options) {
    options.ns_per_tick_q60 = std::uint64_t{1} << 58U;
    options.switch_sign = format::SwitchSign::kNone;
    collector::ArenaSizes sizes;
    sizes.lane_count = 64;
    sizes.process_count = 4;
    sizes.heap_bytes = 1U << 20U;
    sizes.stack_entries = 4096;
    sizes.tree_bytes = 64U << 20U;
    Result<collector::Arena> arena = collector::Arena::create(sizes, options);
    if (!arena) {
      throw std::runtime_error(arena.error().what);
    }
    return std::move(*arena);
  }

  collector::Arena arena_;
  runtime::SessionState before_;
};

}  // namespace spyglass
