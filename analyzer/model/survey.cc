// SPDX-License-Identifier: Apache-2.0
#include "analyzer/model/survey.h"

#include <algorithm>

#include "format/metadata_codec.h"

namespace spyglass::model {
namespace {

using format::BlockKind;

void keep_snapshot(const format::BlockHeader& header, std::vector<TickRange>& snapshots) {
  if (header.first_ticks >= header.last_ticks) {
    return;
  }
  // Several blocks make one snapshot, and some are written before the interval is over.
  if (!snapshots.empty() && header.first_ticks <= snapshots.back().start) {
    snapshots.back().end = std::max(snapshots.back().end, header.last_ticks);
  } else {
    snapshots.push_back({header.first_ticks, header.last_ticks});
  }
}

}  // namespace

std::uint64_t Survey::snapshot_near(std::uint64_t ticks) const {
  auto after = std::upper_bound(
      snapshots.begin(), snapshots.end(), ticks,
      [](std::uint64_t value, const TickRange& snapshot) { return value < snapshot.start; });
  if (after == snapshots.begin()) {
    return ticks;
  }
  const TickRange& snapshot = *--after;
  if (ticks >= snapshot.end) {
    return ticks;
  }
  return ticks - snapshot.start <= snapshot.end - ticks ? snapshot.start : snapshot.end;
}

Survey survey(SgzReader& reader, bool with_snapshots) {
  Survey found;
  BlockView block;
  std::vector<std::uint8_t> raw;
  while (reader.next(block)) {
    found.last_ticks = std::max(found.last_ticks, block.header.last_ticks);
    if (block.header.kind == BlockKind::kSession && !found.session && reader.payload(block, raw)) {
      if (auto session = format::decode_session(raw)) {
        found.session = *std::move(session);
      }
    } else if (block.header.kind == BlockKind::kEnd && reader.payload(block, raw)) {
      if (auto end = format::decode_end(raw)) {
        found.end = *std::move(end);
      }
    } else if (with_snapshots && (block.header.kind == BlockKind::kCounters ||
                                  block.header.kind == BlockKind::kMetrics)) {
      keep_snapshot(block.header, found.snapshots);
    }
  }
  reader.rewind();
  return found;
}

}  // namespace spyglass::model
