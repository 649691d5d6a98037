// SPDX-License-Identifier: Apache-2.0
#include "tools/run_session.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "recorder/collector/clock_calibration.h"
#include "recorder/collector/option_values.h"
#include "recorder/collector/output_name.h"
#include "recorder/collector/sample_choice.h"
#include "recorder/collector/switch_trial.h"

namespace spyglass {
namespace {

constexpr std::uint64_t kRingBytes = 256U << 10U;
constexpr std::uint64_t kRingBytesForEveryCall = 1U << 20U;
constexpr std::uint64_t kManySpansBelowNs = 1000;  // such a threshold lets much through
constexpr std::uint64_t kThreadClockIntervalNs = 200'000;

format::SessionInfo describe(const collector::CollectorOptions& session,
                             const collector::SampleChoice& sampling,
                             const std::vector<std::string>& command, std::uint64_t rate) {
  format::SessionInfo info;
  info.command = command;
  if (char* directory = ::getcwd(nullptr, 0)) {
    info.working_directory = directory;
    ::free(directory);
  }
  utsname system = {};
  if (::uname(&system) == 0) {
    info.host = system.nodename;
    info.kernel = std::string(system.sysname) + " " + system.release;
  }
  info.version = SPYGLASS_VERSION;
  info.processors = std::thread::hardware_concurrency();
  info.start = collector::sample_clocks();
  info.ns_per_tick_q60 = rate;
  info.interval_ns = session.interval_ns;
  info.span_threshold_ns = session.span_threshold_ns;
  info.on_full = collector::on_full_name(session.on_full);
  info.include = session.include;
  info.exclude = session.exclude;
  info.max_depth = session.max_depth;
  info.max_overhead_percent = session.max_overhead_percent;
  info.cpu_clock = session.approximate_cpu ? "approximate" : "exact";
  info.sampler = collector::sampler_name(sampling.kind);
  info.sampler_reason = sampling.reason;
  info.sample_interval_ns = sampling.interval_ns;
  info.memory = session.memory.mode;
  info.memory_sample_bytes =
      session.memory.mode == format::MemoryMode::kSample ? session.memory.sample_bytes : 0;
  return info;
}

format::RecordingOptions recording_options(const collector::CollectorOptions& session,
                                           const collector::SampleChoice& sampling,
                                           std::uint64_t rate) {
  format::RecordingOptions options = {};
  options.span_threshold_ticks = session.span_threshold_ns == collector::kSpansOff
                                     ? format::kDurationOff
                                     : collector::ticks_of_ns(session.span_threshold_ns, rate);
  options.on_full = session.on_full;
  options.max_depth = session.max_depth;
  options.operations = session.operations;
  options.max_stack_frames = session.max_stack_frames;
  options.filters_active = session.include.empty() && session.exclude.empty() ? 0 : 1;
  options.switch_sign =
      session.approximate_cpu ? format::SwitchSign::kNone : collector::best_switch_sign();
  options.clock_interval_ticks = collector::ticks_of_ns(kThreadClockIntervalNs, rate);
  options.ns_per_tick_q60 = rate;
  options.sampler = sampling.kind;
  options.sample_interval_ns = sampling.interval_ns;
  options.memory = session.memory.mode;
  options.memory_sample_bytes = session.memory.sample_bytes;
  return options;
}

collector::ArenaSizes arena_sizes(const collector::CollectorOptions& session) {
  collector::ArenaSizes sizes;
  sizes.ring_bytes = session.ring_bytes;
  if (sizes.ring_bytes == 0) {
    const bool many = session.span_threshold_ns < kManySpansBelowNs ||
                      session.memory.mode == format::MemoryMode::kFull;
    sizes.ring_bytes = many ? kRingBytesForEveryCall : kRingBytes;
  }
  sizes.tree_bytes = session.tree_bytes;
  return sizes;
}

}  // namespace

Result<std::unique_ptr<RunSession>> RunSession::open(
    const RunOptions& options, const format::ClockSample& begin, collector::SessionSocket socket,
    std::uint32_t pid, const std::vector<std::string>& command, const sigset_t& handled_signals) {
  const bool running = options.serve_fd >= 0;
  collector::SampleChoice sampling =
      collector::choose_sampler(options.session, static_cast<pid_t>(pid), running);
  const std::uint64_t rate = collector::calibrate_clock(begin);
  const format::SessionInfo info = describe(options.session, sampling, command, rate);
  const std::string path = collector::expand_output_name(
      options.session.output, {command.empty() ? "" : command.front(), pid, info.host,
                               info.start.unix_ns / 1'000'000'000U});
  Result<collector::SgzWriter> writer =
      collector::SgzWriter::create(path, options.session.force, info.start.unix_ns);
  if (!writer) {
    return writer.error();
  }
  Result<collector::Arena> arena = collector::Arena::create(
      arena_sizes(options.session), recording_options(options.session, sampling, rate));
  if (!arena) {
    ::unlink(path.c_str());
    return arena.error();
  }
  std::unique_ptr<RunSession> session(new RunSession(std::move(*arena), std::move(socket)));
  session->path_ = path;
  session->arena_.lock_alive_mutex();
  session->collector_ = std::make_unique<collector::Collector>(
      session->arena_, session->watch_, std::move(*writer), options.session, info);
  if (sampling.events) {
    session->collector_->sample_with(
        std::make_unique<collector::SampleReader>(
            std::move(*sampling.events), options.session.max_stack_frames, running ? pid : 0),
        sampling.interval_ns);
  }
  session->supervisor_ = std::make_unique<collector::Supervisor>(
      session->arena_, session->socket_, session->watch_, *session->collector_,
      options.session.follow, handled_signals);
  return session;
}

void RunSession::discard() { ::unlink(path_.c_str()); }

}  // namespace spyglass
