// SPDX-License-Identifier: Apache-2.0
// docs/format.md says what the code does: its tables against enums and structs, its example against
// what the code writes. With SPYGLASS_ACCEPT set, the example is written anew.
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "format/block.h"
#include "format/bytes.h"
#include "format/metadata_fields.h"
#include "format/record_names.h"
#include "format/span_codec.h"
#include "format/table_codec.h"

namespace spyglass::format {
namespace {

const std::string kPath = SPYGLASS_SOURCE_DIR "/docs/format.md";

std::string read_document() {
  std::ifstream file(kPath);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

// Rows of the first table after `heading`, as cells without blanks around them; the head is left
// out.
std::vector<std::vector<std::string>> table_after(const std::string& document,
                                                  const std::string& heading) {
  const std::size_t at = document.find("\n" + heading);
  INFO(heading);
  REQUIRE(at != std::string::npos);
  std::istringstream lines(document.substr(document.find("\n|", at) + 1));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(lines, line) && line.starts_with('|');) {
    std::vector<std::string> cells;
    std::istringstream parts(line.substr(1));
    for (std::string cell; std::getline(parts, cell, '|');) {
      const std::size_t first = cell.find_first_not_of(' ');
      cells.push_back(first == std::string::npos
                          ? ""
                          : cell.substr(first, cell.find_last_not_of(' ') - first + 1));
    }
    rows.push_back(cells);
  }
  REQUIRE(rows.size() > 2);
  rows.erase(rows.begin(), rows.begin() + 2);
  return rows;
}

TEST_CASE("format.md: kinds and codecs are those of the code") {
  const std::string document = read_document();
  const auto kinds = table_after(document, "## 5.");
  CHECK(kinds.size() == static_cast<std::size_t>(BlockKind::kResident));
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    CHECK(kinds[i].at(0) == std::to_string(i + 1));
    CHECK(kinds[i].at(1) == kind_name(static_cast<BlockKind>(i + 1)));
  }
  CHECK(kind_name(static_cast<BlockKind>(kinds.size() + 1)) == "unknown");
  const auto codecs = table_after(document, "## 6.");
  for (std::size_t i = 0; i < codecs.size(); ++i) {
    CHECK(codecs[i].at(0) == std::to_string(i));
    CHECK(codecs[i].at(1) == codec_name(static_cast<Codec>(i)));
  }
  CHECK(codec_name(static_cast<Codec>(codecs.size())) == "unknown");
}

// Rows number, name of the first table after `heading` against a name for each number.
template <typename Number>
void check_names(const std::string& heading, std::size_t first,
                 std::string_view (*name)(Number number)) {
  const auto rows = table_after(read_document(), heading);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK(rows[i].at(0) == std::to_string(first + i));
    CHECK(rows[i].at(1) == name(static_cast<Number>(first + i)));
  }
  CHECK(name(static_cast<Number>(first + rows.size())) == "unknown");
}

TEST_CASE("format.md: metrics, kinds of events and of objects are those of the code") {
  check_names("**metrics**", 1, metric_name);
  check_names("**events**", 1, event_kind_name);
  check_names("**allocations**", 0, allocation_kind_name);
  const auto object = table_after(read_document(), "**Object**");
  std::string kinds;
  for (std::uint32_t i = 0; object_kind_name(static_cast<ObjectKind>(i)) != "unknown" || i == 0;
       ++i) {
    kinds += (i == 0 ? "" : ", ") + std::to_string(i) + " " +
             std::string(object_kind_name(static_cast<ObjectKind>(i)));
  }
  CHECK(object.at(1).at(2) == "enum: " + kinds);
}

struct Field {
  std::size_t offset;
  std::size_t bytes;
  std::string_view name;
};

void check_layout(const std::string& document, const std::string& heading,
                  const std::vector<Field>& fields) {
  const auto rows = table_after(document, heading);
  REQUIRE(rows.size() == fields.size());
  for (std::size_t i = 0; i < fields.size(); ++i) {
    CHECK(rows[i].at(0) == std::to_string(fields[i].offset));
    CHECK(rows[i].at(1) == std::to_string(fields[i].bytes));
    CHECK(rows[i].at(2) == fields[i].name);
  }
}

#define FIELD(type, name) \
  { offsetof(type, name), sizeof(type::name), #name }

TEST_CASE("format.md: headers, index and footer are laid out as the code has them") {
  const std::string document = read_document();
  check_layout(
      document, "## 3.",
      {FIELD(FileHeader, magic), FIELD(FileHeader, major), FIELD(FileHeader, minor),
       FIELD(FileHeader, header_bytes), FIELD(FileHeader, uuid), FIELD(FileHeader, started_unix_ns),
       FIELD(FileHeader, reserved), FIELD(FileHeader, checksum)});
  check_layout(
      document, "## 4.",
      {FIELD(BlockHeader, magic), FIELD(BlockHeader, kind), FIELD(BlockHeader, codec),
       FIELD(BlockHeader, flags), FIELD(BlockHeader, raw_bytes), FIELD(BlockHeader, stored_bytes),
       FIELD(BlockHeader, sequence), FIELD(BlockHeader, thread), FIELD(BlockHeader, records),
       FIELD(BlockHeader, first_ticks), FIELD(BlockHeader, last_ticks),
       FIELD(BlockHeader, payload_checksum), FIELD(BlockHeader, header_checksum)});
  check_layout(document, "## 10.",
               {FIELD(IndexEntry, offset), FIELD(IndexEntry, first_ticks),
                FIELD(IndexEntry, last_ticks), FIELD(IndexEntry, thread),
                FIELD(IndexEntry, records), FIELD(IndexEntry, kind), FIELD(IndexEntry, reserved)});
  check_layout(document, "The footer is",
               {FIELD(Footer, magic), FIELD(Footer, index_offset), FIELD(Footer, blocks),
                FIELD(Footer, checksum)});
}

#undef FIELD

template <typename Record>
void check_message(const std::string& document, const std::string& name) {
  const auto rows = table_after(document, "**" + name + "**");
  std::size_t i = 0;
  Record record;
  visit_fields(
      [&](std::uint32_t number, const char* field, const auto& /*member*/) {
        INFO(name << "." << field);
        REQUIRE(i < rows.size());
        CHECK(rows[i].at(0) == std::to_string(number));
        CHECK(rows[i].at(1) == field);
        ++i;
      },
      record);
  CHECK(i == rows.size());
}

TEST_CASE("format.md: messages have the fields of the code") {
  const std::string document = read_document();
  check_message<SessionInfo>(document, "Session");
  check_message<ClockSample>(document, "Clock");
  check_message<ProcessRecord>(document, "Process");
  check_message<ThreadRecord>(document, "Thread");
  check_message<ModuleInfo>(document, "Module");
  check_message<ObjectInfo>(document, "Object");
  check_message<LossRecord>(document, "Loss");
  check_message<SymbolRecord>(document, "Symbol");
  check_message<FrameInfo>(document, "Frame");
  check_message<EndInfo>(document, "End");
  check_message<CoverageRecord>(document, "Coverage");
  check_message<DemotedFunction>(document, "Demoted");
}

// The file of section 13.
std::vector<std::uint8_t> worked_example() {
  const std::uint8_t uuid[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};
  const FileHeader header = seal_file_header(uuid, 1'600'000'000'000'000'000);
  const std::uint64_t seed = block_seed(header);
  std::vector<std::uint8_t> file;
  ByteWriter writer(file);
  writer.fixed(header);

  std::vector<IndexEntry> index;
  const auto add = [&](BlockKind kind, const std::vector<std::uint8_t>& payload,
                       std::uint32_t records, std::uint32_t thread, std::uint64_t first,
                       std::uint64_t last) {
    const std::uint64_t sequence = index.size();
    index.push_back({file.size(), first, last, thread, records, kind, {}});
    seal_block({kind, Codec::kNone, static_cast<std::uint32_t>(payload.size()), sequence, thread,
                records, first, last},
               payload, seed, file);
  };
  std::vector<std::uint8_t> payload;
  encode_nodes(std::vector<NodeRecord>{{1, 0, 0}, {2, 1, 1}, {3, 2, 2}}, payload);
  add(BlockKind::kNodes, payload, 3, 0, 0, 0);
  payload.clear();
  encode_spans(std::vector<SpanRecord>{{1000, 26, 3}, {1052, 52, 3}, {974, 156, 2}}, payload);
  add(BlockKind::kSpans, payload, 3, 1, 974, 1130);
  const std::uint64_t index_offset = file.size();
  payload.clear();
  encode_index(index, payload);
  add(BlockKind::kIndex, payload, 2, 0, 0, 0);
  writer.fixed(seal_footer(index_offset, 3, seed));
  return file;
}

std::string hex_dump(const std::vector<std::uint8_t>& bytes) {
  std::string text;
  char part[32];
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 16 == 0) {
      std::snprintf(part, sizeof part, "%s%04zx", i == 0 ? "" : "\n", i);
      text += part;
    }
    std::snprintf(part, sizeof part, "%s%02x", i % 8 == 0 ? "  " : " ", bytes[i]);
    text += part;
  }
  return text + "\n";
}

TEST_CASE("format.md: the worked example is what the code writes") {
  std::string document = read_document();
  const std::size_t mark = document.find("<!-- worked example");
  REQUIRE(mark != std::string::npos);
  const std::size_t begin = document.find("```\n", mark) + 4;
  const std::size_t end = document.find("```", begin);
  const std::string now = hex_dump(worked_example());
  if (std::getenv("SPYGLASS_ACCEPT") != nullptr && document.substr(begin, end - begin) != now) {
    document.replace(begin, end - begin, now);
    std::ofstream(kPath) << document;
    return;
  }
  CHECK(document.substr(begin, end - begin) == now);
}

}  // namespace
}  // namespace spyglass::format
