// SPDX-License-Identifier: Apache-2.0
// recording_tables.h - all of a recording but its mass: the tables, and where spans, snapshots,
// events and allocations are.
//
//   Where    tools that show a recording as it is (dump, info); reports use analyzer/model.
//   Memory   the tables; the rest stays in the file.
//   Errors   damaged blocks are left out and stand in the reader's damage().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/reader/sgz_reader.h"
#include "format/records.h"

namespace spyglass {

struct RecordingTables {
  std::optional<format::SessionInfo> session;
  std::optional<format::EndInfo> end;
  std::map<std::uint32_t, format::ProcessRecord> processes;  // by id, the latest record of each
  std::map<std::uint32_t, format::ThreadRecord> threads;     // likewise
  std::map<std::uint32_t, format::ModuleInfo> modules;
  std::map<std::uint32_t, format::SiteRecord> sites;
  std::map<std::uint32_t, format::NodeRecord> nodes;
  std::map<std::uint32_t, format::FrameInfo> symbols;  // by site; the innermost function there
  std::map<std::uint32_t, format::ObjectInfo> objects;
  std::vector<format::OpenCall> open_at_end;  // the final ones
  std::vector<format::LossRecord> losses;     // the latest of each kind, thread, reason
  std::vector<BlockView> span_blocks;         // in file order
  std::vector<BlockView> counter_blocks;
  std::vector<BlockView> event_blocks;
  std::vector<BlockView> allocation_blocks;
  std::vector<BlockView> resident_blocks;
};

RecordingTables read_tables(SgzReader& reader);

// The function at `node`: its symbol (mangled), else "module+0x12" or an address; the name of an
// operation; kind and name of an object.
std::string symbol_of_node(const RecordingTables& tables, std::uint32_t node);

}  // namespace spyglass
