// SPDX-License-Identifier: Apache-2.0
#include "recorder/collector/loss_ledger.h"

#include <vector>

#include "format/metadata_codec.h"
#include "recorder/collector/sgz_writer.h"

namespace spyglass::collector {

void LossLedger::add(format::LossKind kind, std::uint32_t thread, const std::string& reason,
                     std::uint64_t count) {
  if (count != 0) {
    counts_[Key(kind, thread, reason)].total += count;
    totals_[kind] += count;
    changed_ = true;
  }
}

void LossLedger::set(format::LossKind kind, std::uint32_t thread, const std::string& reason,
                     std::uint64_t total) {
  if (total == 0) {
    return;
  }
  Count& count = counts_[Key(kind, thread, reason)];
  if (count.total != total) {
    totals_[kind] += total - count.total;
    count.total = total;
    changed_ = true;
  }
}

std::uint64_t LossLedger::total(format::LossKind kind) const {
  const auto found = totals_.find(kind);
  return found == totals_.end() ? 0 : found->second;
}

bool LossLedger::write_changed(SgzWriter& writer) {
  if (!changed_) {
    return true;
  }
  std::vector<format::LossRecord> records;
  for (const auto& [key, count] : counts_) {
    if (count.total != count.written) {
      const auto& [kind, thread, reason] = key;
      records.push_back({kind, count.total, thread, reason});
    }
  }
  std::vector<std::uint8_t> raw;
  format::encode_losses(records, raw);
  BlockContent content;
  content.kind = format::BlockKind::kLosses;
  content.raw = raw;
  content.records = static_cast<std::uint32_t>(records.size());
  if (!writer.append(content)) {
    return false;
  }
  for (const format::LossRecord& record : records) {
    counts_[Key(record.kind, record.thread, record.reason)].written = record.count;
  }
  changed_ = false;
  return true;
}

}  // namespace spyglass::collector
