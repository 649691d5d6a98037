// SPDX-License-Identifier: Apache-2.0
// sample_choice.h - who takes the CPU samples of a session.
//
//   Where    collector, before the program runs.
//   Errors   perf that is refused: the timer if we may choose, else nobody, with the reason.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "format/arena.h"
#include "recorder/collector/collector_options.h"
#include "recorder/collector/perf_events.h"

namespace spyglass::collector {

struct SampleChoice {
  format::SamplerKind kind = format::SamplerKind::kOff;
  std::string reason;                // why not perf; empty: that was what was asked for
  std::uint64_t interval_ns = 0;     // of CPU time
  std::optional<PerfEvents> events;  // with kPerf
};

// `running`: the program runs already, else it is about to exec.
SampleChoice choose_sampler(const CollectorOptions& options, pid_t program, bool running);

// "perf", "timer" or "off".
std::string sampler_name(format::SamplerKind kind);

}  // namespace spyglass::collector
