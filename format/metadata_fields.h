// SPDX-License-Identifier: Apache-2.0
// metadata_fields.h - number, name and member of every field of the metadata messages, listed once
// for writing, reading and checking docs/format.md.
//
// A number, once released, keeps its meaning for ever; a new field takes a new one.
//
//   Where    metadata_codec.cc and the test of docs/format.md.
#pragma once

#include <concepts>
#include <type_traits>

#include "format/records.h"

namespace spyglass::format {

// R is `Record` or `const Record`.
template <typename R, typename Record>
concept Is = std::same_as<std::remove_const_t<R>, Record>;

// visit(number, name, member) for each field, in the order of the numbers.

template <typename Visit, Is<ClockSample> R>
void visit_fields(Visit&& visit, R& sample) {
  visit(1, "ticks", sample.ticks);
  visit(2, "monotonic_ns", sample.monotonic_ns);
  visit(3, "unix_ns", sample.unix_ns);
}

template <typename Visit, Is<SessionInfo> R>
void visit_fields(Visit&& visit, R& session) {
  visit(1, "command", session.command);
  visit(2, "working_directory", session.working_directory);
  visit(3, "host", session.host);
  visit(4, "kernel", session.kernel);
  visit(5, "version", session.version);
  visit(6, "processors", session.processors);
  visit(7, "start", session.start);
  visit(8, "ns_per_tick_q60", session.ns_per_tick_q60);
  visit(9, "interval_ns", session.interval_ns);
  visit(10, "span_threshold_ns", session.span_threshold_ns);
  visit(11, "on_full", session.on_full);
  visit(12, "include", session.include);
  visit(13, "exclude", session.exclude);
  visit(14, "max_depth", session.max_depth);
  visit(15, "max_overhead_percent", session.max_overhead_percent);
  visit(16, "cpu_clock", session.cpu_clock);
  visit(17, "sampler", session.sampler);
  visit(18, "sampler_reason", session.sampler_reason);
  visit(19, "sample_interval_ns", session.sample_interval_ns);
  visit(20, "memory", session.memory);
  visit(21, "memory_sample_bytes", session.memory_sample_bytes);
}

template <typename Visit, Is<ProcessRecord> R>
void visit_fields(Visit&& visit, R& process) {
  visit(1, "id", process.id);
  visit(2, "pid", process.pid);
  visit(3, "ppid", process.ppid);
  visit(4, "parent", process.parent);
  visit(5, "command", process.command);
  visit(6, "executable", process.executable);
  visit(7, "start_ticks", process.start_ticks);
  visit(8, "end_ticks", process.end_ticks);
  visit(9, "exit", process.exit);
  visit(10, "exit_value", process.exit_value);
  visit(11, "forked", process.forked);
}

template <typename Visit, Is<ThreadRecord> R>
void visit_fields(Visit&& visit, R& thread) {
  visit(1, "id", thread.id);
  visit(2, "process", thread.process);
  visit(3, "tid", thread.tid);
  visit(4, "name", thread.name);
  visit(5, "birth_ticks", thread.birth_ticks);
  visit(6, "exit_ticks", thread.exit_ticks);
  visit(7, "cpu_ns", thread.cpu_ns);
  visit(8, "cpu_accuracy", thread.cpu_accuracy);
  visit(9, "runnable_ns", thread.runnable_ns);
}

template <typename Visit, Is<ModuleInfo> R>
void visit_fields(Visit&& visit, R& module) {
  visit(1, "id", module.id);
  visit(2, "path", module.path);
  visit(3, "build_id", module.build_id);
}

template <typename Visit, Is<ObjectInfo> R>
void visit_fields(Visit&& visit, R& object) {
  visit(1, "id", object.id);
  visit(2, "kind", object.kind);
  visit(3, "name", object.name);
  visit(4, "site", object.site);
}

template <typename Visit, Is<LossRecord> R>
void visit_fields(Visit&& visit, R& loss) {
  visit(1, "kind", loss.kind);
  visit(2, "count", loss.count);
  visit(3, "thread", loss.thread);
  visit(4, "reason", loss.reason);
}

template <typename Visit, Is<FrameInfo> R>
void visit_fields(Visit&& visit, R& frame) {
  visit(1, "function", frame.function);
  visit(2, "file", frame.file);
  visit(3, "line", frame.line);
  visit(4, "inlined", frame.inlined);
  visit(5, "at_line", frame.at_line);
}

template <typename Visit, Is<SymbolRecord> R>
void visit_fields(Visit&& visit, R& symbol) {
  visit(1, "site", symbol.site);
  visit(2, "frames", symbol.frames);
}

template <typename Visit, Is<CoverageRecord> R>
void visit_fields(Visit&& visit, R& coverage) {
  visit(1, "subject", coverage.subject);
  visit(2, "reason", coverage.reason);
}

template <typename Visit, Is<DemotedFunction> R>
void visit_fields(Visit&& visit, R& demoted) {
  visit(1, "site", demoted.site);
  visit(2, "since_ticks", demoted.since_ticks);
}

template <typename Visit, Is<EndInfo> R>
void visit_fields(Visit&& visit, R& end) {
  visit(1, "end", end.end);
  visit(2, "interrupted", end.interrupted);
  visit(3, "coverage", end.coverage);
  visit(4, "demoted", end.demoted);
}

// The payload of a block with many records is a message of its own: `repeated Record records = 1`.
inline constexpr std::uint32_t kRecordsField = 1;

}  // namespace spyglass::format
