// SPDX-License-Identifier: Apache-2.0
// table_codec.h - sites, nodes, counters, open calls and metrics to bytes and back: varint columns.
//
//   Where    collector (encode) and reader (decode).
//   Errors   decode rejects anything that is not exactly `records` well-formed records.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "format/records.h"
#include "format/result.h"

namespace spyglass::format {

void encode_sites(std::span<const SiteRecord> sites, std::vector<std::uint8_t>& out);
void encode_nodes(std::span<const NodeRecord> nodes, std::vector<std::uint8_t>& out);
void encode_counters(std::span<const CounterRow> rows, std::vector<std::uint8_t>& out);
void encode_open_calls(std::span<const OpenCall> calls, std::vector<std::uint8_t>& out);
void encode_metrics(std::span<const MetricRow> rows, std::vector<std::uint8_t>& out);

// Each appends exactly `records` records to `out`; on error `out` is as it was.
Status decode_sites(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<SiteRecord>& out);
Status decode_nodes(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<NodeRecord>& out);
Status decode_counters(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<CounterRow>& out);
Status decode_open_calls(std::span<const std::uint8_t> payload, std::uint32_t records,
                         std::vector<OpenCall>& out);
// Metrics of later versions pass.
Status decode_metrics(std::span<const std::uint8_t> payload, std::uint32_t records,
                      std::vector<MetricRow>& out);

}  // namespace spyglass::format
