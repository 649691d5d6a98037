// SPDX-License-Identifier: Apache-2.0
//
// Hostile payloads of every kind of block. What a decoder accepts must survive a round trip.
// input := decoder (1 byte) records (2 bytes, little-endian) payload
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "format/allocation_codec.h"
#include "format/block.h"
#include "format/compression.h"
#include "format/event_codec.h"
#include "format/metadata_codec.h"
#include "format/span_codec.h"
#include "format/table_codec.h"

namespace {

using namespace spyglass::format;  // NOLINT: this file is about nothing else

template <typename Record>
using Decode = spyglass::Status (*)(ByteSpan, std::uint32_t, std::vector<Record>&);
template <typename Record>
using Encode = void (*)(std::span<const Record>, Bytes&);

// A payload of columns. Encoders append; the second generation must equal the first.
template <typename Record>
void round_trip(ByteSpan payload, std::uint32_t records, Decode<Record> decode,
                Encode<Record> encode) {
  std::vector<Record> first;
  if (!decode(payload, records, first)) {
    if (!first.empty()) std::abort();  // on error `out` is as it was
    return;
  }
  if (first.size() != records) std::abort();
  Bytes once;
  encode(first, once);
  std::vector<Record> second;
  if (!decode(once, records, second)) std::abort();
  Bytes twice;
  encode(second, twice);
  if (once != twice) std::abort();
}

// A protobuf message. Unknown fields get lost, known ones don't.
template <typename Decoder, typename Encoder>
void message_round_trip(ByteSpan payload, Decoder decode, Encoder encode) {
  const auto first = decode(payload);
  if (!first) return;
  Bytes once;
  encode(*first, once);
  const auto second = decode(once);
  if (!second) std::abort();
  Bytes twice;
  encode(*second, twice);
  if (once != twice) std::abort();
}

void decompress_anything(ByteSpan payload, std::uint32_t records, Codec codec) {
  Bytes raw;
  const std::uint32_t raw_bytes = records * 64;
  if (decompress(payload, codec, raw_bytes, raw) && raw.size() != raw_bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size < 3) return 0;
  const std::uint32_t records = input[1] | static_cast<std::uint32_t>(input[2]) << 8U;
  const ByteSpan payload(input + 3, size - 3);
  switch (input[0] % 20) {
    case 0:
      message_round_trip(payload, decode_session, encode_session);
      break;
    case 1:
      message_round_trip(payload, decode_end, encode_end);
      break;
    case 2:
      message_round_trip(payload, decode_processes, encode_processes);
      break;
    case 3:
      message_round_trip(payload, decode_threads, encode_threads);
      break;
    case 4:
      message_round_trip(payload, decode_modules, encode_modules);
      break;
    case 5:
      message_round_trip(payload, decode_losses, encode_losses);
      break;
    case 6:
      message_round_trip(payload, decode_symbols, encode_symbols);
      break;
    case 7:
      round_trip<SpanRecord>(payload, records, decode_spans, encode_spans);
      break;
    case 8:
      round_trip<SiteRecord>(payload, records, decode_sites, encode_sites);
      break;
    case 9:
      round_trip<NodeRecord>(payload, records, decode_nodes, encode_nodes);
      break;
    case 10:
      round_trip<CounterRow>(payload, records, decode_counters, encode_counters);
      break;
    case 11:
      round_trip<OpenCall>(payload, records, decode_open_calls, encode_open_calls);
      break;
    case 12:
      round_trip<IndexEntry>(payload, records, decode_index, encode_index);
      break;
    case 13:
      decompress_anything(payload, records, Codec::kLz4);
      break;
    case 14:
      decompress_anything(payload, records, Codec::kZstd);
      break;
    case 15:
      message_round_trip(payload, decode_objects, encode_objects);
      break;
    case 16:
      round_trip<MetricRow>(payload, records, decode_metrics, encode_metrics);
      break;
    case 17:
      round_trip<AllocationRecord>(payload, records, decode_allocations, encode_allocations);
      break;
    case 18:
      round_trip<ResidentRecord>(payload, records, decode_resident, encode_resident);
      break;
    default:
      round_trip<EventRecord>(payload, records, decode_events, encode_events);
      break;
  }
  return 0;
}
