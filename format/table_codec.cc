// SPDX-License-Identifier: Apache-2.0
#include "format/table_codec.h"

#include "format/columns.h"
#include "format/duration_histogram.h"

namespace spyglass::format {
namespace {

void write_buckets(ByteWriter& writer, std::span<const CounterRow> rows) {
  for (const CounterRow& row : rows) {
    writer.varint(row.buckets.size());
  }
  for (const CounterRow& row : rows) {
    std::uint32_t next = 0;
    for (const BucketCount& entry : row.buckets) {
      writer.varint(entry.bucket - next);
      next = entry.bucket + 1;
    }
  }
  for (const CounterRow& row : rows) {
    for (const BucketCount& entry : row.buckets) {
      writer.varint(entry.count);
    }
  }
}

void read_buckets(ByteReader& reader, std::span<CounterRow> rows) {
  std::uint64_t total = 0;
  for (CounterRow& row : rows) {
    const std::uint64_t size = reader.varint();
    total += size;
    // Two bytes at least for each bucket.
    if (size > kHistogramBuckets || total > reader.left() / 2) {
      reader.fail();
      return;
    }
    row.buckets.resize(size);
  }
  for (CounterRow& row : rows) {
    std::uint64_t next = 0;
    for (BucketCount& entry : row.buckets) {
      const std::uint64_t gap = reader.varint();
      if (gap >= kHistogramBuckets - next) {
        reader.fail();
        return;
      }
      entry.bucket = static_cast<std::uint32_t>(next + gap);
      next = entry.bucket + 1;
    }
  }
  for (CounterRow& row : rows) {
    for (BucketCount& entry : row.buckets) {
      entry.count = reader.varint();
    }
  }
}

// Flags of an open call.
constexpr std::uint64_t kInherited = 1;
constexpr std::uint64_t kFinal = 2;

constexpr std::size_t kSiteColumns = 3;
constexpr std::size_t kNodeColumns = 3;
constexpr std::size_t kCounterColumns = 12;
constexpr std::size_t kOpenCallColumns = 5;
constexpr std::size_t kMetricColumns = 4;

}  // namespace

void encode_sites(std::span<const SiteRecord> sites, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, sites, &SiteRecord::id);
  write_differences(writer, sites, &SiteRecord::module);
  write_differences(writer, sites, &SiteRecord::offset);
}

Status decode_sites(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<SiteRecord>& out) {
  return append_records(payload, records, kSiteColumns, out,
                        [](ByteReader& reader, std::span<SiteRecord> sites) {
                          read_differences(reader, sites, &SiteRecord::id);
                          read_differences(reader, sites, &SiteRecord::module);
                          read_differences(reader, sites, &SiteRecord::offset);
                        });
}

void encode_nodes(std::span<const NodeRecord> nodes, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, nodes, &NodeRecord::id);
  for (const NodeRecord& node : nodes) {
    writer.difference(node.id, node.parent);
  }
  write_differences(writer, nodes, &NodeRecord::site);
}

Status decode_nodes(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<NodeRecord>& out) {
  return append_records(payload, records, kNodeColumns, out,
                        [](ByteReader& reader, std::span<NodeRecord> nodes) {
                          read_differences(reader, nodes, &NodeRecord::id);
                          for (NodeRecord& node : nodes) {
                            store_number(reader, node.id - unzigzag(reader.varint()), node.parent);
                          }
                          read_differences(reader, nodes, &NodeRecord::site);
                        });
}

void encode_counters(std::span<const CounterRow> rows, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, rows, &CounterRow::thread);
  write_differences(writer, rows, &CounterRow::node);
  write_numbers(writer, rows, &CounterRow::calls);
  write_numbers(writer, rows, &CounterRow::wall_ticks);
  write_numbers(writer, rows, &CounterRow::off_cpu_ticks);
  write_numbers(writer, rows, &CounterRow::min_ticks);
  write_numbers(writer, rows, &CounterRow::max_ticks);
  write_numbers(writer, rows, &CounterRow::untimed_calls);
  write_numbers(writer, rows, &CounterRow::fold_in_calls);
  write_numbers(writer, rows, &CounterRow::fold_in_ticks);
  write_numbers(writer, rows, &CounterRow::fold_out_ticks);
  write_buckets(writer, rows);
}

Status decode_counters(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<CounterRow>& out) {
  return append_records(payload, records, kCounterColumns, out,
                        [](ByteReader& reader, std::span<CounterRow> rows) {
                          read_differences(reader, rows, &CounterRow::thread);
                          read_differences(reader, rows, &CounterRow::node);
                          read_numbers(reader, rows, &CounterRow::calls);
                          read_numbers(reader, rows, &CounterRow::wall_ticks);
                          read_numbers(reader, rows, &CounterRow::off_cpu_ticks);
                          read_numbers(reader, rows, &CounterRow::min_ticks);
                          read_numbers(reader, rows, &CounterRow::max_ticks);
                          read_numbers(reader, rows, &CounterRow::untimed_calls);
                          read_numbers(reader, rows, &CounterRow::fold_in_calls);
                          read_numbers(reader, rows, &CounterRow::fold_in_ticks);
                          read_numbers(reader, rows, &CounterRow::fold_out_ticks);
                          read_buckets(reader, rows);
                        });
}

void encode_open_calls(std::span<const OpenCall> calls, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, calls, &OpenCall::thread);
  write_differences(writer, calls, &OpenCall::node);
  write_differences(writer, calls, &OpenCall::start_ticks);
  write_differences(writer, calls, &OpenCall::ticks);
  for (const OpenCall& call : calls) {
    writer.varint((call.inherited ? kInherited : 0U) | (call.final ? kFinal : 0U));
  }
}

Status decode_open_calls(std::span<const std::uint8_t> payload, std::uint32_t records,
                         std::vector<OpenCall>& out) {
  return append_records(payload, records, kOpenCallColumns, out,
                        [](ByteReader& reader, std::span<OpenCall> calls) {
                          read_differences(reader, calls, &OpenCall::thread);
                          read_differences(reader, calls, &OpenCall::node);
                          read_differences(reader, calls, &OpenCall::start_ticks);
                          read_differences(reader, calls, &OpenCall::ticks);
                          for (OpenCall& call : calls) {
                            const std::uint64_t flags = reader.varint();
                            if (flags > (kInherited | kFinal)) {
                              reader.fail();
                            }
                            call.inherited = (flags & kInherited) != 0;
                            call.final = (flags & kFinal) != 0;
                          }
                        });
}

void encode_metrics(std::span<const MetricRow> rows, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_differences(writer, rows, &MetricRow::thread);
  write_differences(writer, rows, &MetricRow::node);
  write_numbers(writer, rows, &MetricRow::metric);
  write_numbers(writer, rows, &MetricRow::value);
}

Status decode_metrics(std::span<const std::uint8_t> payload, std::uint32_t records,
                      std::vector<MetricRow>& out) {
  return append_records(payload, records, kMetricColumns, out,
                        [](ByteReader& reader, std::span<MetricRow> rows) {
                          read_differences(reader, rows, &MetricRow::thread);
                          read_differences(reader, rows, &MetricRow::node);
                          read_numbers(reader, rows, &MetricRow::metric);
                          read_numbers(reader, rows, &MetricRow::value);
                        });
}

}  // namespace spyglass::format
