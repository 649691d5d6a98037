// SPDX-License-Identifier: Apache-2.0
#include "analyzer/reader/block_check.h"

#include <string>
#include <vector>

#include "format/allocation_codec.h"
#include "format/block.h"
#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "format/span_codec.h"
#include "format/table_codec.h"

namespace spyglass {
namespace {

using format::BlockKind;
using Raw = std::span<const std::uint8_t>;

template <typename Record>
Status check_table(Raw raw, std::uint32_t count,
                   Status (*decode)(Raw, std::uint32_t, std::vector<Record>&)) {
  std::vector<Record> records;
  return decode(raw, count, records);
}

template <typename Record>
Status check_list(const Result<std::vector<Record>>& records, std::uint32_t count) {
  if (!records) {
    return records.error();
  }
  if (records->size() != count) {
    return Error{ErrorKind::kDamaged, "holds " + std::to_string(records->size()) +
                                          " records where its header says " +
                                          std::to_string(count)};
  }
  return Unit{};
}

template <typename Record>
Status check_one(const Result<Record>& record) {
  return record ? Status(Unit{}) : Status(record.error());
}

}  // namespace

Status check_records(const format::BlockHeader& header, Raw raw) {
  const std::uint32_t count = header.records;
  switch (header.kind) {
    case BlockKind::kSession:
      return check_one(format::decode_session(raw));
    case BlockKind::kProcesses:
      return check_list(format::decode_processes(raw), count);
    case BlockKind::kThreads:
      return check_list(format::decode_threads(raw), count);
    case BlockKind::kModules:
      return check_list(format::decode_modules(raw), count);
    case BlockKind::kSites:
      return check_table(raw, count, format::decode_sites);
    case BlockKind::kNodes:
      return check_table(raw, count, format::decode_nodes);
    case BlockKind::kCounters:
      return check_table(raw, count, format::decode_counters);
    case BlockKind::kSpans:
      return check_table(raw, count, format::decode_spans);
    case BlockKind::kOpenCalls:
      return check_table(raw, count, format::decode_open_calls);
    case BlockKind::kLosses:
      return check_list(format::decode_losses(raw), count);
    case BlockKind::kSymbols:
      return check_list(format::decode_symbols(raw), count);
    case BlockKind::kEnd:
      return check_one(format::decode_end(raw));
    case BlockKind::kIndex:
      return check_table(raw, count, format::decode_index);
    case BlockKind::kObjects:
      return check_list(format::decode_objects(raw), count);
    case BlockKind::kMetrics:
      return check_table(raw, count, format::decode_metrics);
    case BlockKind::kEvents:
      return check_table(raw, count, format::decode_events);
    case BlockKind::kAllocations:
      return check_table(raw, count, format::decode_allocations);
    case BlockKind::kResident:
      return check_table(raw, count, format::decode_resident);
  }
  return Unit{};
}

}  // namespace spyglass
