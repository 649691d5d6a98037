// SPDX-License-Identifier: Apache-2.0
// spyglass dump - every event of a recording, in the order of time.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "analyzer/model/session_clock.h"
#include "analyzer/reader/event_stream.h"
#include "analyzer/reader/recording_tables.h"
#include "analyzer/reader/sgz_reader.h"
#include "analyzer/report/quantity.h"
#include "tools/commands.h"
#include "tools/dump_writer.h"
#include "tools/terminal.h"

namespace spyglass {
namespace {

constexpr unsigned kKinds = static_cast<unsigned>(EventKind::kSessionEnd) + 1;

struct DumpOptions {
  std::string file;
  bool json = false;
  bool snapshots = false;
  std::vector<std::string> kinds;
  std::vector<std::string> threads;
  std::string time_range;
};

std::uint32_t bit_of(EventKind kind) { return 1U << static_cast<unsigned>(kind); }

Result<std::uint32_t> wanted_kinds(const DumpOptions& options) {
  std::uint32_t bits = 0;
  for (const std::string& name : options.kinds) {
    std::uint32_t bit = 0;
    std::string known;
    for (unsigned kind = 0; kind < kKinds; ++kind) {
      const std::string_view kind_name = event_kind_name(static_cast<EventKind>(kind));
      bit |= name == kind_name ? 1U << kind : 0U;
      known += fmt::format("{}{}", kind == 0 ? "" : ", ", kind_name);
    }
    if (bit == 0) {
      return Error{ErrorKind::kUsage,
                   fmt::format("no events of kind {}: one of {}", in_quotes(name), known)};
    }
    bits |= bit;
  }
  if (bits == 0) {
    bits = ~bit_of(EventKind::kSnapshot);
  }
  return options.snapshots ? bits | bit_of(EventKind::kSnapshot) : bits;
}

Result<EventFilter> make_filter(const DumpOptions& options, const RecordingTables& tables) {
  EventFilter filter;
  const Result<std::uint32_t> kinds = wanted_kinds(options);
  if (!kinds) return kinds.error();
  filter.kinds = *kinds;
  if (!options.threads.empty()) {
    filter.thread = [&options, &tables](std::uint32_t id) {
      const auto thread = tables.threads.find(id);
      return thread != tables.threads.end() &&
             std::ranges::any_of(options.threads, [&](const std::string& wanted) {
               return wanted == thread->second.name || wanted == std::to_string(thread->second.tid);
             });
    };
  }
  if (!options.time_range.empty()) {
    const auto range = parse_time_range(options.time_range);
    if (!range) {
      return Error{
          ErrorKind::kUsage,
          fmt::format("bad time range {}: expected A..B, A.. or ..B with units, for example "
                      "1.5s..2s",
                      in_quotes(options.time_range))};
    }
    const model::SessionClock clock(tables.session.value_or(format::SessionInfo{}), tables.end);
    filter.first_ticks = range->start_ns > 0 ? clock.ticks_at(range->start_ns) : 0;
    if (std::isfinite(range->end_ns)) filter.last_ticks = clock.ticks_at(range->end_ns);
  }
  return filter;
}

int dump(const DumpOptions& options) {
  Result<SgzReader> reader = SgzReader::open(options.file);
  if (!reader) return fail(reader.error().what);
  const RecordingTables tables = read_tables(*reader);
  Result<EventFilter> filter = make_filter(options, tables);
  if (!filter) return fail(filter.error().what);

  std::ios::sync_with_stdio(false);
  EventStream events(*reader, tables, std::move(*filter));
  DumpWriter writer(std::cout, tables, options.json);
  writer.write_schema(reader->header());
  Event event;
  while (std::cout.good() && events.next(event)) {
    writer.write(event);
  }
  for (const ReaderDamage& damage : reader->damage()) {
    writer.write(damage);
  }
  writer.flush();
  return finish_output(0);
}

}  // namespace

void add_dump_command(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<DumpOptions>();
  CLI::App* command = app.add_subcommand("dump", "Write every event of a recording in time order");
  command->add_option("FILE", options->file, "The recording")->required()->type_name("");
  command->add_flag("--json", options->json, "Write one JSON object a line");
  command->add_flag("--snapshots", options->snapshots, "Write the counters of every interval too");
  command
      ->add_option(
          "--kind", options->kinds,
          "Only these: process_start, thread_start, span, sample, contention, exception, "
          "fatal_signal, lock_order, allocation, resident, snapshot, open_call, thread_end, "
          "process_end, loss, end")
      ->type_name("KIND")
      ->delimiter(',');
  command->add_option("--thread", options->threads, "Only threads of this name or tid")
      ->type_name("THREAD")
      ->delimiter(',');
  command
      ->add_option("--time-range", options->time_range,
                   "Only A..B, A.. or ..B from the start, with ns, us, ms, s, m or h")
      ->type_name("RANGE");
  command->callback([options, &exit_code] { exit_code = dump(*options); });
}

}  // namespace spyglass
