// SPDX-License-Identifier: Apache-2.0
// columns.h - a table's columns one after the other, each over all records, so that equal things
// stand next to each other.
//
//   Where    table_codec.cc and event_codec.cc.
//   Errors   a number that does not fit its member fails the reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "format/bytes.h"
#include "format/result.h"

namespace spyglass::format {

template <typename Record, typename Member>
void write_numbers(ByteWriter& writer, std::span<const Record> records, Member Record::*member) {
  for (const Record& record : records) {
    writer.varint(static_cast<std::uint64_t>(record.*member));
  }
}

template <typename Record, typename Member>
void write_differences(ByteWriter& writer, std::span<const Record> records,
                       Member Record::*member) {
  std::uint64_t previous = 0;
  for (const Record& record : records) {
    writer.difference(record.*member, previous);
    previous = record.*member;
  }
}

inline void store_number(ByteReader& /*reader*/, std::uint64_t value, std::uint64_t& member) {
  member = value;
}
// Smaller ones: 32-bit numbers and enums of that size.
template <typename Member>
void store_number(ByteReader& reader, std::uint64_t value, Member& member) {
  static_assert(sizeof(Member) == 4);
  member = static_cast<Member>(value <= UINT32_MAX ? value : reader.fail());
}

template <typename Record, typename Member>
void read_numbers(ByteReader& reader, std::span<Record> records, Member Record::*member) {
  for (Record& record : records) {
    store_number(reader, reader.varint(), record.*member);
  }
}

template <typename Record, typename Member>
void read_differences(ByteReader& reader, std::span<Record> records, Member Record::*member) {
  std::uint64_t previous = 0;
  for (Record& record : records) {
    store_number(reader, reader.difference(previous), record.*member);
    previous = record.*member;
  }
}

// Appends `count` records for `fill` to read; undone unless they take exactly all of the payload.
// Every record has at least `columns` bytes, which bounds what a hostile count can allocate.
template <typename Record, typename Fill>
Status append_records(std::span<const std::uint8_t> payload, std::uint32_t count,
                      std::size_t columns, std::vector<Record>& out, Fill fill) {
  if (count > payload.size() / columns) {
    return Error{ErrorKind::kDamaged, "table is shorter than its number of records"};
  }
  const std::size_t before = out.size();
  out.resize(before + count);
  ByteReader reader(payload);
  fill(reader, std::span(out).subspan(before));
  if (!reader.finished()) {
    out.resize(before);
    return Error{ErrorKind::kDamaged, "malformed table"};
  }
  return Unit{};
}

}  // namespace spyglass::format
