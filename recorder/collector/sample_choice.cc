// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/sample_choice.h"

#include <utility>

namespace spyglass::collector {

SampleChoice choose_sampler(const CollectorOptions& options, pid_t program, bool running) {
  SampleChoice choice;
  if (options.sampler == Sampler::kOff || options.sample_hz == 0) {
    return choice;
  }
  choice.interval_ns = 1'000'000'000U / options.sample_hz;
  if (options.sampler == Sampler::kTimer) {
    choice.kind = format::SamplerKind::kTimer;
    return choice;
  }
  if (options.sampler == Sampler::kAuto && options.approximate_cpu) {
    choice.kind = format::SamplerKind::kTimer;
    choice.reason = "--no-perf";
    return choice;
  }
  Result<PerfEvents> events = running ? attach_perf_events(program, choice.interval_ns)
                                      : open_perf_events(program, choice.interval_ns);
  if (events) {
    choice.kind = format::SamplerKind::kPerf;
    choice.events = std::move(*events);
    return choice;
  }
  choice.reason = events.error().what;
  choice.kind =
      options.sampler == Sampler::kAuto ? format::SamplerKind::kTimer : format::SamplerKind::kOff;
  return choice;
}

std::string sampler_name(format::SamplerKind kind) {
  switch (kind) {
    case format::SamplerKind::kPerf:
      return "perf";
    case format::SamplerKind::kTimer:
      return "timer";
    case format::SamplerKind::kOff:
      break;
  }
  return "off";
}

}  // namespace spyglass::collector
