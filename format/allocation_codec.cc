// SPDX-License-Identifier: Apache-2.0
#include "format/allocation_codec.h"

#include <array>
#include <bit>
#include <cstddef>

#include "format/columns.h"

// An address that stood in the block before is told by how many records ago that was: programs
// free what they just got, and allocators hand out what was just freed. A size is compared with the
// node's last one.

namespace spyglass::format {
namespace {

constexpr std::size_t kAllocationColumns = 4;
constexpr std::size_t kResidentColumns = 3;

constexpr bool gives_back(AllocationKind kind) {
  return kind == AllocationKind::kFree || kind == AllocationKind::kMoveFrom;
}

// The size that a node's records had last; nodes that share a place disturb each other, on both
// sides alike.
class LastSizes {
 public:
  std::uint64_t& of(std::uint32_t node) { return sizes_[node % sizes_.size()]; }

 private:
  std::array<std::uint64_t, 4096> sizes_ = {};
};

// Where in the block each address stood last.
class LastPlaces {
 public:
  explicit LastPlaces(std::size_t records)
      : shift_(64U - static_cast<unsigned>(std::bit_width(records * 2))),
        places_(std::size_t{1} << (64U - shift_), kNone) {}

  // How many records before `place` that was, 0: never.
  std::size_t replace(std::span<const AllocationRecord> records, std::size_t place) {
    const std::uint64_t address = records[place].address;
    for (std::size_t at = (address * 0x9e3779b97f4a7c15ULL) >> shift_;; ++at) {
      std::uint32_t& known = places_[at & (places_.size() - 1)];
      if (known == kNone || records[known].address == address) {
        const std::size_t distance = known == kNone ? 0 : place - known;
        known = static_cast<std::uint32_t>(place);
        return distance;
      }
    }
  }

 private:
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  unsigned shift_;
  std::vector<std::uint32_t> places_;
};

// Allocations and frees each follow their own kind.
struct LastNodes {
  std::uint32_t of[2] = {};
};

void write_nodes(ByteWriter& writer, std::span<const AllocationRecord> records) {
  LastNodes last;
  for (const AllocationRecord& record : records) {
    std::uint32_t& base = last.of[gives_back(record.kind) ? 1 : 0];
    writer.difference(record.node, base);
    base = record.node;
  }
}

void read_nodes(ByteReader& reader, std::span<AllocationRecord> records) {
  LastNodes last;
  for (AllocationRecord& record : records) {
    std::uint32_t& base = last.of[gives_back(record.kind) ? 1 : 0];
    record.node = reader.difference32(base);
    base = record.node;
  }
}

void write_sizes(ByteWriter& writer, std::span<const AllocationRecord> records) {
  LastSizes last;
  for (const AllocationRecord& record : records) {
    if (!gives_back(record.kind)) {
      std::uint64_t& base = last.of(record.node);
      writer.difference(record.bytes, base);
      base = record.bytes;
    }
  }
}

void read_sizes(ByteReader& reader, std::span<AllocationRecord> records) {
  LastSizes last;
  for (AllocationRecord& record : records) {
    if (!gives_back(record.kind)) {
      std::uint64_t& base = last.of(record.node);
      record.bytes = reader.difference(base);
      base = record.bytes;
    }
  }
}

void write_addresses(ByteWriter& writer, std::span<const AllocationRecord> records) {
  LastPlaces places(records.size());
  std::vector<std::size_t> fresh;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const std::size_t distance = places.replace(records, i);
    writer.varint(distance);
    if (distance == 0) {
      fresh.push_back(i);
    }
  }
  std::uint64_t previous = 0;
  for (const std::size_t i : fresh) {
    writer.difference(records[i].address, previous);
    previous = records[i].address;
  }
}

void read_addresses(ByteReader& reader, std::span<AllocationRecord> records) {
  std::vector<std::size_t> distances(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    distances[i] = reader.varint();
    if (distances[i] > i) {
      reader.fail();
    }
  }
  std::uint64_t previous = 0;
  for (std::size_t i = 0; i < records.size() && !reader.failed(); ++i) {
    if (distances[i] == 0) {
      previous = reader.difference(previous);
      records[i].address = previous;
    } else {
      records[i].address = records[i - distances[i]].address;
    }
  }
}

}  // namespace

void encode_allocations(std::span<const AllocationRecord> records, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_numbers(writer, records, &AllocationRecord::kind);
  write_differences(writer, records, &AllocationRecord::ticks);
  write_nodes(writer, records);
  write_sizes(writer, records);
  write_addresses(writer, records);
}

Status decode_allocations(std::span<const std::uint8_t> payload, std::uint32_t records,
                          std::vector<AllocationRecord>& out) {
  return append_records(payload, records, kAllocationColumns, out,
                        [](ByteReader& reader, std::span<AllocationRecord> allocations) {
                          read_numbers(reader, allocations, &AllocationRecord::kind);
                          read_differences(reader, allocations, &AllocationRecord::ticks);
                          read_nodes(reader, allocations);
                          read_sizes(reader, allocations);
                          read_addresses(reader, allocations);
                        });
}

void encode_resident(std::span<const ResidentRecord> records, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_numbers(writer, records, &ResidentRecord::process);
  write_differences(writer, records, &ResidentRecord::ticks);
  write_differences(writer, records, &ResidentRecord::resident_bytes);
}

Status decode_resident(std::span<const std::uint8_t> payload, std::uint32_t records,
                       std::vector<ResidentRecord>& out) {
  return append_records(payload, records, kResidentColumns, out,
                        [](ByteReader& reader, std::span<ResidentRecord> resident) {
                          read_numbers(reader, resident, &ResidentRecord::process);
                          read_differences(reader, resident, &ResidentRecord::ticks);
                          read_differences(reader, resident, &ResidentRecord::resident_bytes);
                        });
}

}  // namespace spyglass::format
