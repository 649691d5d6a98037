// SPDX-License-Identifier: Apache-2.0
// spyglass info - what is in a recording's file: header, session, blocks, sizes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "analyzer/model/session_clock.h"
#include "analyzer/reader/sgz_reader.h"
#include "analyzer/report/json_writer.h"
#include "analyzer/report/quantity.h"
#include "analyzer/report/safe_text.h"
#include "analyzer/report/text_table.h"
#include "format/block.h"
#include "format/metadata_codec.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace spyglass {
namespace {

using format::BlockKind;

struct KindTotals {
  std::uint64_t blocks = 0;
  std::uint64_t records = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t file_bytes = 0;  // headers and padding included
};

struct Summary {
  format::FileHeader header{};
  std::uint64_t file_bytes = 0;
  bool footer = false;
  std::size_t damage = 0;
  std::optional<format::SessionInfo> session;
  std::optional<format::EndInfo> end;
  std::array<KindTotals, 256> kinds{};
};

Summary summarize(SgzReader& reader) {
  Summary summary;
  std::vector<std::uint8_t> raw;
  BlockView block;
  while (reader.next(block)) {
    KindTotals& totals = summary.kinds.at(static_cast<std::size_t>(block.header.kind));
    ++totals.blocks;
    totals.records += block.header.records;
    totals.raw_bytes += block.header.raw_bytes;
    totals.file_bytes += format::block_bytes(block.header);
    const bool session = block.header.kind == BlockKind::kSession;
    if ((session || block.header.kind == BlockKind::kEnd) && reader.payload(block, raw)) {
      if (session) {
        if (auto decoded = format::decode_session(raw)) summary.session = std::move(*decoded);
      } else if (auto decoded = format::decode_end(raw)) {
        summary.end = std::move(*decoded);
      }
    }
  }
  summary.header = reader.header();
  summary.file_bytes = reader.file_bytes();
  summary.footer = reader.has_footer();
  summary.damage = reader.damage().size();
  return summary;
}

KindTotals sum_of(const Summary& summary) {
  KindTotals sum;
  for (const KindTotals& totals : summary.kinds) {
    sum.blocks += totals.blocks;
    sum.records += totals.records;
    sum.raw_bytes += totals.raw_bytes;
    sum.file_bytes += totals.file_bytes;
  }
  return sum;
}

std::string uuid_text(const format::FileHeader& header) {
  std::string text;
  for (const std::uint8_t byte : header.uuid) text += fmt::format("{:02x}", byte);
  return text;
}

double per(std::uint64_t amount, std::uint64_t count) {
  return count == 0 ? 0 : static_cast<double>(amount) / static_cast<double>(count);
}

std::string file_state(const Summary& summary) {
  if (summary.damage == 0) return "complete";
  return summary.footer ? "damaged (see spyglass verify)" : "cut short (see spyglass verify)";
}

void write_session_text(const TextStyle& style, const Summary& summary) {
  const format::SessionInfo& session = *summary.session;
  const std::string* command = session.command.data();
  write_fact(std::cout, style, "command", command_line(command, command + session.command.size()));
  write_fact(std::cout, style, "directory", session.working_directory);
  write_fact(
      std::cout, style, "host",
      fmt::format("{}, {}, {} processors", session.host, session.kernel, session.processors));
  const double ns_per_tick = model::SessionClock(session, summary.end).ns(1);
  write_fact(std::cout, style, "clock",
             fmt::format("{:.1f} MHz, CPU time {}", 1e3 / ns_per_tick, session.cpu_clock));
  const std::string spans =
      session.span_threshold_ns == 0 ? "every call"
      : session.span_threshold_ns == ~std::uint64_t{0}
          ? "none"
          : "of " + format_duration(static_cast<double>(session.span_threshold_ns)) + " and more";
  write_fact(std::cout, style, "spans", fmt::format("{}, when full: {}", spans, session.on_full));
  if (!session.sampler.empty()) {
    const std::string every =
        session.sample_interval_ns == 0
            ? ""
            : ", every " + format_duration(static_cast<double>(session.sample_interval_ns)) +
                  " of CPU time";
    const std::string reason =
        session.sampler_reason.empty() ? "" : " (" + session.sampler_reason + ")";
    write_fact(std::cout, style, "samples", session.sampler + every + reason);
  }
  write_fact(std::cout, style, "interval",
             format_duration(static_cast<double>(session.interval_ns)));
}

std::vector<Cell> row(std::string_view name, const KindTotals& totals) {
  return {{.text = format_count(totals.blocks)},
          {.text = format_count(totals.records)},
          {.text = format_bytes(totals.file_bytes)},
          {.text = fmt::format("{:.2f}", per(totals.raw_bytes, totals.file_bytes))},
          {.text = fmt::format("{:.2f}", per(totals.file_bytes, totals.records))},
          {.text = std::string(name)}};
}

void write_text(const std::string& file, const Summary& summary) {
  const TextStyle style = style_for_stdout(ColorChoice::kAuto);
  write_fact(
      std::cout, style, "file",
      fmt::format("{}, {}, {}", file, format_bytes(summary.file_bytes), file_state(summary)));
  write_fact(std::cout, style, "format",
             fmt::format("{}.{}, uuid {}", summary.header.major, summary.header.minor,
                         uuid_text(summary.header)));
  write_fact(std::cout, style, "started", format_utc(summary.header.started_unix_ns));
  if (summary.session) write_session_text(style, summary);
  std::cout << '\n';
  TextTable table(
      {{"BLOCKS"}, {"RECORDS"}, {"BYTES"}, {"RATIO"}, {"BYTES/RECORD"}, {"KIND", true}});
  for (std::size_t kind = 0; kind < summary.kinds.size(); ++kind) {
    if (summary.kinds.at(kind).blocks != 0) {
      table.add(row(format::kind_name(static_cast<BlockKind>(kind)), summary.kinds.at(kind)));
    }
  }
  table.add(row("all", sum_of(summary)));
  table.write(std::cout, style);
}

void write_totals_json(JsonWriter& json, const KindTotals& totals) {
  json.key("blocks").count(totals.blocks);
  json.key("records").count(totals.records);
  json.key("raw_bytes").count(totals.raw_bytes);
  json.key("file_bytes").count(totals.file_bytes);
}

void write_session_json(JsonWriter& json, const Summary& summary) {
  const format::SessionInfo& session = *summary.session;
  json.key("session").begin_object();
  json.key("command").begin_array();
  for (const std::string& argument : session.command) json.text(argument);
  json.end_array();
  json.key("working_directory").text(session.working_directory);
  json.key("host").text(session.host);
  json.key("kernel").text(session.kernel);
  json.key("version").text(session.version);
  json.key("processors").count(session.processors);
  json.key("interval_ns").count(session.interval_ns);
  json.key("span_threshold_ns");
  session.span_threshold_ns == ~std::uint64_t{0} ? json.null()
                                                 : json.count(session.span_threshold_ns);
  json.key("on_full").text(session.on_full);
  json.key("cpu_clock").text(session.cpu_clock);
  json.key("sampler").text(session.sampler);
  json.key("sampler_reason").text(session.sampler_reason);
  json.key("sample_interval_ns").count(session.sample_interval_ns);
  json.key("ticks_per_s").number(1e9 / model::SessionClock(session, summary.end).ns(1));
  json.end_object();
}

void write_json(const std::string& file, const Summary& summary) {
  JsonWriter json(std::cout);
  json.begin_object();
  json.key("schema").text("spyglass-info/1");
  json.key("file").text(file);
  json.key("file_bytes").count(summary.file_bytes);
  json.key("complete").boolean(summary.damage == 0);
  json.key("format").text(fmt::format("{}.{}", summary.header.major, summary.header.minor));
  json.key("uuid").text(uuid_text(summary.header));
  json.key("started").text(format_iso8601(summary.header.started_unix_ns));
  if (summary.session) write_session_json(json, summary);
  json.key("kinds").begin_array();
  for (std::size_t kind = 0; kind < summary.kinds.size(); ++kind) {
    if (summary.kinds.at(kind).blocks == 0) continue;
    json.new_line();
    json.begin_object();
    json.key("kind").text(format::kind_name(static_cast<BlockKind>(kind)));
    write_totals_json(json, summary.kinds.at(kind));
    json.end_object();
  }
  json.end_array();
  json.key("all").begin_object();
  write_totals_json(json, sum_of(summary));
  json.end_object();
  json.end_object();
}

int info(const std::string& file, bool as_json) {
  Result<SgzReader> reader = SgzReader::open(file);
  if (!reader) return fail(reader.error().what);
  const Summary summary = summarize(*reader);
  if (as_json) {
    write_json(file, summary);
  } else {
    write_text(file, summary);
  }
  return finish_output(0);
}

}  // namespace

void add_info_command(CLI::App& app, int& exit_code) {
  struct Options {
    std::string file;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("info", "Show what a recording's file consists of");
  command->add_option("FILE", options->file, "The recording")->required()->type_name("");
  command->add_flag("--json", options->json, "Write the result as JSON");
  command->callback([options, &exit_code] { exit_code = info(options->file, options->json); });
}

}  // namespace spyglass
