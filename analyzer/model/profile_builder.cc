// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/profile_builder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "analyzer/model/heap_sums.h"
#include "analyzer/model/object_sums.h"
#include "analyzer/model/recording_pass.h"
#include "analyzer/model/survey.h"
#include "analyzer/model/tree_sums.h"

namespace spyglass {
namespace {

using model::RecordingPass;
using model::SessionClock;
using model::Survey;
using model::TickRange;

// Spans hold every call only if the session kept every call.
bool keeps_every_call(const Survey& survey) {
  return survey.session && survey.session->span_threshold_ns == 0;
}

std::string milliseconds(double ns) {
  const auto tenths = static_cast<std::int64_t>(std::llround(ns / 1e5));
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " ms";
}

// What was asked for, and what the recording can give.
struct Coverage {
  TickRange counters;
  TickRange spans;
  std::string note;
};

Coverage choose_coverage(const Survey& survey, const SessionClock& clock,
                         const std::optional<TimeRange>& range, bool from_spans) {
  Coverage coverage;
  if (!range) {
    return coverage;
  }
  coverage.spans = {clock.ticks_at(range->start_ns), clock.ticks_at(range->end_ns)};
  coverage.counters = {survey.snapshot_near(coverage.spans.start),
                       survey.snapshot_near(coverage.spans.end)};
  if (coverage.counters.start == coverage.counters.end &&
      coverage.spans.start != coverage.spans.end) {
    for (const TickRange& snapshot : survey.snapshots) {
      // The range lies within one snapshot: give all of that rather than nothing.
      if (snapshot.overlap(coverage.spans.start, coverage.spans.end) != 0) {
        coverage.counters = snapshot;
      }
    }
  }
  const double start_ns = clock.ns_since_start(coverage.counters.start);
  const double end_ns = clock.ns_since_start(coverage.counters.end);
  const bool moved = coverage.counters.start != coverage.spans.start ||
                     coverage.counters.end != coverage.spans.end;
  if (from_spans) {
    coverage.note = "exact, from spans; CPU time from the snapshots around the range";
  } else if (moved) {
    coverage.note = "rounded to the snapshots at " + milliseconds(start_ns) + " and " +
                    milliseconds(end_ns) +
                    "; min, max and percentiles are of calls that ended within";
  } else {
    coverage.note = "min, max and percentiles are of calls that ended within";
  }
  return coverage;
}

// The kernel tells a thread's CPU time even when the thread never came to tell what it spent
// waiting in its last call: what is missing was waited there.
void charge_last_waits(const SessionClock& clock, RecordingPass& pass) {
  for (model::ThreadCounts& thread : pass.threads().threads()) {
    if (thread.innermost == model::IdIndex::kNone || thread.record.cpu_ns == 0 ||
        thread.record.cpu_accuracy == format::CpuAccuracy::kNone) {
      continue;
    }
    const double cpu_ticks = static_cast<double>(thread.record.cpu_ns) / clock.ns(1);
    const double missing_ticks = static_cast<double>(thread.recorded_ticks) -
                                 static_cast<double>(thread.off_cpu_ticks) - cpu_ticks;
    const double waited_ticks =
        std::min(missing_ticks, static_cast<double>(thread.innermost_ticks));
    if (waited_ticks > 0) {
      model::RecordedNode& node = pass.nodes()[thread.innermost];
      node.counts.off_cpu_ticks += static_cast<std::uint64_t>(waited_ticks);
      if (node.wait != model::RecordedNode::kNoWait) {
        thread.wait_off_cpu_ticks[node.wait] += static_cast<std::uint64_t>(waited_ticks);
      }
    }
  }
}

std::string hex_digits(const std::uint8_t (&uuid)[16]) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : uuid) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

void describe_session(const Survey& survey, const SessionClock& clock, const Coverage& coverage,
                      Profile& profile) {
  profile.session = survey.session.value_or(format::SessionInfo{});
  profile.end = survey.end;
  const std::uint64_t end_ticks = survey.end ? survey.end->end.ticks : survey.last_ticks;
  profile.duration_ns = clock.ns_since_start(end_ticks);
  const TickRange& covered =
      profile.range_note.starts_with("exact") ? coverage.spans : coverage.counters;
  profile.range_end_ns = profile.duration_ns;
  if (!covered.whole()) {
    profile.range_start_ns = std::min(clock.ns_since_start(covered.start), profile.duration_ns);
    profile.range_end_ns = std::min(clock.ns_since_start(covered.end), profile.duration_ns);
  }
}

void describe_end(const RecordingPass& pass, const model::FunctionIndex& functions,
                  const std::vector<Function>& named, Profile& profile) {
  profile.losses = pass.losses();
  if (!profile.end) {
    return;
  }
  profile.coverage = profile.end->coverage;
  std::set<std::string> demoted;
  for (const format::DemotedFunction& function : profile.end->demoted) {
    demoted.insert(named[functions.function_of(function.site)].name);
  }
  profile.demoted.assign(demoted.begin(), demoted.end());
}

void collect_damage(const SgzReader& reader, const Survey& survey, RecordingPass& pass,
                    Profile& profile) {
  for (const ReaderDamage& damage : reader.damage()) {
    profile.damage.push_back({damage.offset, damage.bytes, damage.what});
  }
  std::move(pass.damage().begin(), pass.damage().end(), std::back_inserter(profile.damage));
  if (!survey.session) {
    profile.damage.push_back(
        {sizeof(format::FileHeader), 0, "the description of the session is lost"});
  }
  std::stable_sort(profile.damage.begin(), profile.damage.end(),
                   [](const Damage& a, const Damage& b) { return a.offset < b.offset; });
}

void add_heap(SgzReader& reader, RecordingPass& pass, model::Layout& layout,
              const SessionClock& clock, const ProfileOptions& options, std::uint64_t last_ticks,
              Profile& profile) {
  model::HeapOptions heap;
  if (options.range) {
    heap.range = {clock.ticks_at(options.range->start_ns), clock.ticks_at(options.range->end_ns)};
  }
  if (options.heap_at_ns) {
    heap.at_ticks = clock.ticks_at(*options.heap_at_ns);
  }
  heap.suppressions = options.suppressions;
  heap.last_ticks = last_ticks;
  model::write_heap(reader, pass, layout, clock, heap, profile);
}

Result<Profile> build(SgzReader reader, const std::string& name, const ProfileOptions& options) {
  const Survey survey = model::survey(reader, options.range.has_value());
  const SessionClock clock(survey.session.value_or(format::SessionInfo{}), survey.end);
  const bool from_spans = options.from_spans || (options.range && keeps_every_call(survey));
  const Coverage coverage = choose_coverage(survey, clock, options.range, from_spans);

  RecordingPass::Settings settings;
  settings.counters = coverage.counters;
  settings.from_spans = from_spans;
  settings.spans = coverage.spans;
  settings.ns_per_tick_q60 = static_cast<std::uint64_t>(std::ldexp(clock.ns(1), 60));
  settings.last_ticks = survey.end ? survey.end->end.ticks : survey.last_ticks;
  RecordingPass pass(settings);
  pass.read(reader);
  pass.finish();
  if (!options.range) {
    charge_last_waits(clock, pass);
  }

  Profile profile;
  profile.file = name;
  profile.uuid = hex_digits(reader.header().uuid);
  profile.file_bytes = reader.file_bytes();
  profile.spans = pass.spans();
  profile.range_note = coverage.note;
  describe_session(survey, clock, coverage, profile);
  model::FunctionIndex& functions = pass.functions();
  functions.finish(options.resolve_missing);
  profile.modules = functions.modules();
  describe_end(pass, functions, functions.functions(), profile);
  model::SumOptions sums;
  sums.sample_interval_ns = static_cast<double>(profile.session.sample_interval_ns);
  pass.threads().write(clock, from_spans ? coverage.spans : coverage.counters, settings.last_ticks,
                       sums.sample_interval_ns, profile);
  model::Layout layout = model::lay_out(pass.nodes(), functions);
  profile.functions = std::move(functions.functions());
  sums.histogram_scale = from_spans ? model::kFineScale : format::kHistogramScale;
  sums.extremes_from_histogram = options.range && !from_spans;
  model::write_objects(pass, layout, clock, sums, profile);
  if (options.heap) {
    add_heap(reader, pass, layout, clock, options, settings.last_ticks, profile);
  }
  model::write_tree(std::move(layout.nodes), clock, sums, profile);
  collect_damage(reader, survey, pass, profile);
  if (profile.heap) {
    profile.heap->exact &= profile.damage.empty();
  }
  return profile;
}

}  // namespace

Result<Profile> build_profile(const std::string& path, const ProfileOptions& options) {
  Result<SgzReader> reader = SgzReader::open(path);
  if (!reader) {
    return reader.error();
  }
  return build(std::move(*reader), path, options);
}

Result<Profile> build_profile_from_bytes(std::span<const std::uint8_t> bytes,
                                         const std::string& name, const ProfileOptions& options) {
  Result<SgzReader> reader = SgzReader::from_bytes(bytes);
  if (!reader) {
    return reader.error();
  }
  return build(std::move(*reader), name, options);
}

}  // namespace spyglass
