// SPDX-License-Identifier: Apache-2.0
// spyglass verify - whether a recording is complete, and if not, which bytes are lost.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "analyzer/reader/block_check.h"
#include "analyzer/reader/sgz_reader.h"
#include "analyzer/report/flaws_json.h"
#include "analyzer/report/json_writer.h"
#include "analyzer/report/quantity.h"
#include "tools/commands.h"
#include "tools/terminal.h"

namespace spyglass {
namespace {

constexpr int kExitDamaged = 1;

struct Verdict {
  std::uint64_t file_bytes = 0;
  std::uint64_t blocks = 0;  // intact ones
  std::vector<ReaderDamage> damage;
};

Verdict examine(SgzReader& reader) {
  Verdict verdict;
  verdict.file_bytes = reader.file_bytes();
  std::vector<ReaderDamage> malformed;
  std::vector<std::uint8_t> raw;
  BlockView block;
  bool ended = false;
  while (reader.next(block)) {
    if (!reader.payload(block, raw)) continue;  // stands in damage()
    ended = ended || block.header.kind == format::BlockKind::kEnd;
    const Status status = check_records(block.header, raw);
    if (status) {
      ++verdict.blocks;
    } else {
      malformed.push_back(
          {block.offset, sizeof block.header + block.header.stored_bytes, status.error().what});
    }
  }
  verdict.damage = reader.damage();
  verdict.damage.insert(verdict.damage.end(), malformed.begin(), malformed.end());
  std::ranges::stable_sort(verdict.damage, {}, &ReaderDamage::offset);
  if (verdict.damage.empty() && !ended) {
    verdict.damage.push_back({reader.file_bytes(), 0, "the session's end is missing"});
  }
  return verdict;
}

void write_text(const std::string& file, const Verdict& verdict) {
  const bool sound = verdict.damage.empty();
  std::cout << fmt::format("{}: {}, {} intact blocks, {}\n", in_quotes(file),
                           sound ? "readable and complete" : "damaged or incomplete",
                           format_count(verdict.blocks), format_bytes(verdict.file_bytes));
  for (const ReaderDamage& damage : verdict.damage) {
    std::cout << fmt::format("  at offset {}, {} bytes: {}\n", damage.offset, damage.bytes,
                             damage.what);
  }
}

void write_json(const std::string& file, const Verdict& verdict) {
  JsonWriter json(std::cout);
  json.begin_object();
  json.key("schema").text("spyglass-verify/1");
  json.key("file").text(file);
  json.key("complete").boolean(verdict.damage.empty());
  json.key("file_bytes").count(verdict.file_bytes);
  json.key("intact_blocks").count(verdict.blocks);
  write_damage_json(json, verdict.damage);
  json.end_object();
}

int verify(const std::string& file, bool as_json) {
  Result<SgzReader> reader = SgzReader::open(file);
  if (!reader) return fail(reader.error().what);
  const Verdict verdict = examine(*reader);
  if (as_json) {
    write_json(file, verdict);
  } else {
    write_text(file, verdict);
  }
  return finish_output(verdict.damage.empty() ? 0 : kExitDamaged);
}

}  // namespace

void add_verify_command(CLI::App& app, int& exit_code) {
  struct Options {
    std::string file;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("verify", "Check a recording for damage");
  command->add_option("FILE", options->file, "The recording")->required()->type_name("");
  command->add_flag("--json", options->json, "Write the result as JSON");
  command->footer("Exit code: 0 readable and complete, 1 damaged or cut short, 2 no recording.");
  command->callback([options, &exit_code] { exit_code = verify(options->file, options->json); });
}

}  // namespace spyglass
