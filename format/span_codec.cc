// SPDX-License-Identifier: Apache-2.0
#include "format/span_codec.h"

#include "format/bytes.h"

namespace spyglass::format {

void encode_spans(std::span<const SpanRecord> spans, std::vector<std::uint8_t>& out) {
  ByteWriter writer(out);
  for (const SpanRecord& span : spans) {
    writer.varint(span.node);
  }
  for (const SpanRecord& span : spans) {
    writer.varint(span.duration_ticks);
  }
  std::uint64_t previous = 0;
  for (const SpanRecord& span : spans) {
    const std::uint64_t end = span.start_ticks + span.duration_ticks;
    writer.difference(end, previous);
    previous = end;
  }
}

Status decode_spans(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<SpanRecord>& out) {
  if (records > payload.size() / 3) {
    return Error{ErrorKind::kDamaged, "spans are shorter than their number"};
  }
  const std::size_t before = out.size();
  out.resize(before + records);
  const auto spans = std::span(out).subspan(before);
  ByteReader reader(payload);
  for (SpanRecord& span : spans) {
    span.node = reader.varint32();
  }
  for (SpanRecord& span : spans) {
    span.duration_ticks = reader.varint();
  }
  std::uint64_t end = 0;
  for (SpanRecord& span : spans) {
    end = reader.difference(end);
    span.start_ticks = end - span.duration_ticks;
  }
  if (!reader.finished()) {
    out.resize(before);
    return Error{ErrorKind::kDamaged, "malformed spans"};
  }
  return Unit{};
}

}  // namespace spyglass::format
