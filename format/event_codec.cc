// SPDX-License-Identifier: Apache-2.0
#include "format/event_codec.h"

#include "format/columns.h"

namespace spyglass::format {
namespace {

constexpr std::size_t kEventColumns = 8;

void read_texts(ByteReader& reader, std::span<EventRecord> events) {
  std::vector<std::uint64_t> lengths(events.size());
  for (std::uint64_t& length : lengths) {
    length = reader.varint();
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::span<const std::uint8_t> text = reader.raw(lengths[i]);
    events[i].text.assign(reinterpret_cast<const char*>(text.data()), text.size());
  }
}

}  // namespace

void encode_events(std::span<const EventRecord> events, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  write_numbers(writer, events, &EventRecord::kind);
  write_differences(writer, events, &EventRecord::start_ticks);
  write_numbers(writer, events, &EventRecord::duration_ticks);
  write_differences(writer, events, &EventRecord::node);
  write_numbers(writer, events, &EventRecord::other_node);
  write_numbers(writer, events, &EventRecord::other_thread);
  write_numbers(writer, events, &EventRecord::value);
  for (const EventRecord& event : events) {
    writer.varint(event.text.size());
  }
  for (const EventRecord& event : events) {
    writer.raw(event.text.data(), event.text.size());
  }
}

Status decode_events(std::span<const std::uint8_t> payload, std::uint32_t records,
                     std::vector<EventRecord>& out) {
  return append_records(payload, records, kEventColumns, out,
                        [](ByteReader& reader, std::span<EventRecord> events) {
                          read_numbers(reader, events, &EventRecord::kind);
                          read_differences(reader, events, &EventRecord::start_ticks);
                          read_numbers(reader, events, &EventRecord::duration_ticks);
                          read_differences(reader, events, &EventRecord::node);
                          read_numbers(reader, events, &EventRecord::other_node);
                          read_numbers(reader, events, &EventRecord::other_thread);
                          read_numbers(reader, events, &EventRecord::value);
                          read_texts(reader, events);
                        });
}

}  // namespace spyglass::format
