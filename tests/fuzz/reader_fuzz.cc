// SPDX-License-Identifier: Apache-2.0
//
// Arbitrary bytes through the reader and its streams: progress is made, what is delivered lies
// inside the file, and reading again says the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "analyzer/reader/block_check.h"
#include "analyzer/reader/event_stream.h"
#include "analyzer/reader/recording_tables.h"
#include "analyzer/reader/sgz_reader.h"

namespace {

using namespace spyglass;  // NOLINT: this file is about nothing else

constexpr std::size_t kLargestInput = 1U << 16U;

std::size_t count_blocks(SgzReader& reader) {
  std::size_t blocks = 0;
  std::uint64_t previous = 0;
  std::vector<std::uint8_t> raw;
  BlockView block;
  while (reader.next(block)) {
    ++blocks;
    if (block.offset <= previous || block.offset >= reader.file_bytes()) std::abort();
    previous = block.offset;
    if (reader.payload(block, raw)) {
      if (raw.size() != block.header.raw_bytes) std::abort();
      static_cast<void>(check_records(block.header, raw).has_value());
    }
  }
  return blocks;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size > kLargestInput) return 0;
  Result<SgzReader> reader = SgzReader::from_bytes({input, size});
  if (!reader) return 0;
  const std::size_t blocks = count_blocks(*reader);
  const std::size_t damage = reader->damage().size();
  reader->rewind();
  if (count_blocks(*reader) != blocks || reader->damage().size() != damage) std::abort();

  const RecordingTables tables = read_tables(*reader);
  EventStream events(*reader, tables, EventFilter{});
  Event event;
  while (events.next(event)) {
    if (event.row != nullptr) static_cast<void>(symbol_of_node(tables, event.row->node));
  }
  return 0;
}
