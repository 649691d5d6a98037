// SPDX-License-Identifier: Apache-2.0
#include "format/span_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <memory>

#include "format/bytes.h"
#include "format/clock_grid.h"

// Spans stand in the order of their ends, so a call comes after the calls that it made. Both sides
// keep the stack of calls that no caller has taken up yet. A span takes up the `adopted` topmost
// ones, those that began after it, and then two small numbers say the rest (in steps of the clock):
//
//                       first number                       second number
//   adopted == 0        its start - end of span before     its end - its start
//   adopted > 0         its end - end of span before       start of first adopted - its start
//
// How many calls a function makes hardly varies, so node and `adopted` are one symbol of a
// dictionary.

namespace spyglass::format {
namespace {

// A symbol holds up to this many adopted calls, a nibble numbers up to this; what is left over goes
// to the escapes.
constexpr std::uint64_t kEscape = 15;
// Of the end before the first span. Far from 0, so that calls that began before the block fit.
constexpr std::uint64_t kFirstStep = std::uint64_t{1} << 40U;

constexpr std::size_t kHeaderBytesAtMost = 4 * kMaxVarintBytes;
constexpr std::size_t kChunkSpans = 1024;
constexpr std::size_t kEscapeBytesAtMost = 3 * kMaxVarintBytes;  // of one span

// Symbols by (node, adopted), in the order of their first use.
class Dictionary {
 public:
  void clear() {
    symbols_.clear();
    if (++epoch_ == 0) {  // wrapped: the oldest entries would look new
      std::ranges::fill(slots_, Slot{});
      epoch_ = 1;
    }
  }
  std::uint32_t symbol_of(std::uint64_t key) {
    for (std::size_t at = hash(key);; ++at) {
      Slot& slot = slots_[at & mask_];
      if (slot.epoch != epoch_) {
        return add(slot, key);
      }
      if (slot.key == key) {
        return slot.symbol;
      }
    }
  }
  const std::vector<std::uint64_t>& keys() const { return symbols_; }

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t symbol = 0;
    std::uint32_t epoch = 0;
  };

  std::size_t hash(std::uint64_t key) const {
    return static_cast<std::size_t>((key * 0x9e3779b97f4a7c15ULL) >> shift_);
  }
  std::uint32_t add(Slot& slot, std::uint64_t key) {
    const auto symbol = static_cast<std::uint32_t>(symbols_.size());
    slot = {key, symbol, epoch_};
    symbols_.push_back(key);
    if (symbols_.size() * 2 > slots_.size()) {
      grow();
    }
    return symbol;
  }
  void grow() {
    --shift_;
    mask_ = mask_ * 2 + 1;
    slots_.assign(mask_ + 1, Slot{});
    for (std::uint32_t symbol = 0; symbol < symbols_.size(); ++symbol) {
      std::size_t at = hash(symbols_[symbol]);
      while (slots_[at & mask_].epoch == epoch_) {
        ++at;
      }
      slots_[at & mask_] = {symbols_[symbol], symbol, epoch_};
    }
  }

  unsigned shift_ = 54;
  std::size_t mask_ = 1023;
  std::uint32_t epoch_ = 1;
  std::vector<Slot> slots_ = std::vector<Slot>(1024);
  std::vector<std::uint64_t> symbols_;
};

// Memory that encode_spans uses again.
struct Workspace {
  Dictionary dictionary;
  std::vector<GridTime> stack;  // starts of calls not taken up
  std::vector<std::uint32_t> symbols;
  std::vector<std::uint8_t> nibbles;
  std::vector<std::uint8_t> escapes;
  std::vector<std::uint8_t> off_gaps;   // times off the grid: distance to the one before ...
  std::vector<std::uint8_t> off_ticks;  // ... and how far off

  // No cost where earlier blocks were as large.
  void make_room(std::size_t spans) {
    grow(stack, spans);
    grow(symbols, spans);
    grow(nibbles, spans);
    grow(off_gaps, spans * 2 * 5);
    grow(off_ticks, spans * 2);
  }
  template <typename T>
  static void grow(std::vector<T>& buffer, std::size_t size) {
    if (buffer.size() < size) {
      buffer.resize(size);
    }
  }
};

struct ColumnEnds {
  std::uint8_t* escape;
  std::uint8_t* off_gap;
  std::uint8_t* off_ticks;
};

inline std::uint8_t* put_escape(std::uint8_t* out, std::uint64_t value) {
  return value < kEscape ? out : put_varint(out, value - kEscape);
}

// Writes the columns of all spans but the dictionary.
ColumnEnds write_columns(std::span<const SpanRecord> spans, const ClockGrid& grid,
                         Workspace& workspace) {
  GridTime* const stack_bottom = workspace.stack.data();
  GridTime* stack = stack_bottom;
  ColumnEnds ends{workspace.escapes.data(), workspace.off_gaps.data(), workspace.off_ticks.data()};
  std::uint64_t previous_end = kFirstStep;
  std::uint64_t next_on_grid = 0;
  const auto note_off_grid = [&](std::uint64_t position, std::uint64_t off) {
    if (off != 0) {
      ends.off_gap = put_varint(ends.off_gap, position - next_on_grid);
      *ends.off_ticks++ = static_cast<std::uint8_t>(off);
      next_on_grid = position + 1;
    }
  };

  // Locals: bytes stored through the workspace could change its pointers, as far as a compiler
  // knows.
  std::uint32_t* const symbols = workspace.symbols.data();
  std::uint8_t* const nibbles = workspace.nibbles.data();
  for (std::size_t i = 0; i < spans.size(); ++i) {
    if (i % kChunkSpans == 0) {
      const auto used = static_cast<std::size_t>(ends.escape - workspace.escapes.data());
      Workspace::grow(workspace.escapes, used + kChunkSpans * kEscapeBytesAtMost);
      ends.escape = workspace.escapes.data() + used;
    }
    const SpanRecord& span = spans[i];
    const GridTime start = grid.locate(span.start_ticks);
    const GridTime end = grid.locate(span.start_ticks + span.duration_ticks);
    note_off_grid(2 * i, start.off);
    note_off_grid(2 * i + 1, end.off);

    const GridTime* const top = stack;
    while (stack != stack_bottom && !(stack[-1] < start)) {
      --stack;
    }
    const auto adopted = static_cast<std::uint64_t>(top - stack);
    const std::uint64_t first = adopted == 0 ? start.step - previous_end : end.step - previous_end;
    const std::uint64_t second = adopted == 0 ? end.step - start.step : stack->step - start.step;
    *stack++ = start;
    previous_end = end.step;

    symbols[i] = workspace.dictionary.symbol_of((std::uint64_t{span.node} << 4U) |
                                                std::min(adopted, kEscape));
    nibbles[i] =
        static_cast<std::uint8_t>((std::min(first, kEscape) << 4U) | std::min(second, kEscape));
    if (adopted >= kEscape || first >= kEscape || second >= kEscape) {
      ends.escape = put_escape(ends.escape, adopted);
      ends.escape = put_escape(ends.escape, first);
      ends.escape = put_escape(ends.escape, second);
    }
  }
  return ends;
}

// Bytes of a symbol when there are so many.
constexpr unsigned symbol_bytes(std::size_t symbols) {
  return symbols <= 0x100U ? 1 : symbols <= 0x10000U ? 2 : 4;
}

}  // namespace

void encode_spans(std::span<const SpanRecord> spans, std::vector<std::uint8_t>& out) {
  if (spans.empty()) {
    return;
  }
  thread_local auto workspace = std::make_unique<Workspace>();
  workspace->make_room(spans.size());
  workspace->dictionary.clear();
  const ClockGrid grid = find_clock_grid(spans, kFirstStep);
  const ColumnEnds ends = write_columns(spans, grid, *workspace);

  ByteWriter writer(out);
  const std::vector<std::uint64_t>& keys = workspace->dictionary.keys();
  const auto off_grid = static_cast<std::size_t>(ends.off_ticks - workspace->off_ticks.data());
  writer.varint(grid.step_ticks());
  writer.varint(grid.origin_ticks());
  writer.varint(keys.size());
  writer.varint(off_grid);
  std::uint64_t previous = 0;
  for (const std::uint64_t key : keys) {
    writer.difference(key, previous);
    previous = key;
  }
  const unsigned planes = symbol_bytes(keys.size());
  std::size_t at = out.size();
  out.resize(at + planes * spans.size());
  for (unsigned plane = 0; plane < planes; ++plane) {
    for (std::size_t i = 0; i < spans.size(); ++i) {
      out[at++] = static_cast<std::uint8_t>(workspace->symbols[i] >> (8 * plane));
    }
  }
  writer.raw(workspace->nibbles.data(), spans.size());
  writer.raw(workspace->off_gaps.data(),
             static_cast<std::size_t>(ends.off_gap - workspace->off_gaps.data()));
  writer.raw(workspace->off_ticks.data(), off_grid);
  writer.raw(workspace->escapes.data(),
             static_cast<std::size_t>(ends.escape - workspace->escapes.data()));
}

namespace {

struct Symbol {
  std::uint32_t node;
  std::uint32_t adopted;
};

struct Columns {
  std::vector<Symbol> dictionary;
  std::span<const std::uint8_t> planes;  // of symbols: all low bytes, then all next ones ...
  std::span<const std::uint8_t> nibbles;
  std::uint64_t off_grid = 0;
};

const Error kMalformed{ErrorKind::kDamaged, "malformed spans", 0};

void read_dictionary(ByteReader& reader, std::uint64_t symbols, Columns& columns) {
  columns.dictionary.resize(symbols);
  std::uint64_t key = 0;
  for (Symbol& symbol : columns.dictionary) {
    key = reader.difference(key);
    if (key >> 36U != 0) {
      reader.fail();
    }
    symbol = {static_cast<std::uint32_t>(key >> 4U), static_cast<std::uint32_t>(key & 0xfU)};
  }
}

std::uint64_t get_escaped(ByteReader& escapes, std::uint64_t value) {
  return value < kEscape ? value : escapes.varint() + kEscape;
}

// Fills `spans` with times on the grid; false on a symbol or a number of adopted calls that cannot
// be.
template <unsigned kPlanes>
bool read_spans(const Columns& columns, const ClockGrid& grid, ByteReader& escapes,
                std::span<SpanRecord> spans) {
  std::vector<std::uint64_t> stack(spans.size());
  std::size_t depth = 0;
  std::uint64_t previous_end = kFirstStep;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    std::uint32_t index = columns.planes[i];
    for (unsigned plane = 1; plane < kPlanes; ++plane) {
      index |= std::uint32_t{columns.planes[plane * spans.size() + i]} << (8 * plane);
    }
    if (index >= columns.dictionary.size()) {
      return false;
    }
    const Symbol symbol = columns.dictionary[index];
    const std::uint64_t adopted = get_escaped(escapes, symbol.adopted);
    const std::uint64_t first = get_escaped(escapes, columns.nibbles[i] >> 4U);
    const std::uint64_t second = get_escaped(escapes, columns.nibbles[i] & 0xfU);
    if (adopted > depth) {
      return false;
    }
    depth -= adopted;
    const std::uint64_t start = adopted == 0 ? previous_end + first : stack[depth] - second;
    const std::uint64_t end = adopted == 0 ? start + second : previous_end + first;
    stack[depth++] = start;
    previous_end = end;
    spans[i] = {grid.ticks_of(start), (end - start) * grid.step_ticks(), symbol.node};
  }
  return true;
}

// Moves the times that are off the grid.
bool read_off_grid(std::span<const std::uint32_t> positions, std::span<const std::uint8_t> ticks,
                   const ClockGrid& grid, std::span<SpanRecord> spans) {
  for (std::size_t i = 0; i < positions.size(); ++i) {
    SpanRecord& span = spans[positions[i] / 2];
    if (ticks[i] == 0 || ticks[i] >= grid.step_ticks()) {
      return false;
    }
    if (positions[i] % 2 == 0) {
      span.start_ticks += ticks[i];
      span.duration_ticks -= ticks[i];
    } else {
      span.duration_ticks += ticks[i];
    }
  }
  return true;
}

bool read_positions(ByteReader& reader, std::uint64_t limit,
                    std::vector<std::uint32_t>& positions) {
  std::uint64_t next = 0;
  for (std::uint32_t& position : positions) {
    const std::uint64_t gap = reader.varint();
    if (gap >= limit - next) {
      return false;
    }
    position = static_cast<std::uint32_t>(next + gap);
    next = position + std::uint64_t{1};
  }
  return true;
}

Status read_payload(ByteReader& reader, std::span<SpanRecord> spans) {
  const std::uint64_t step_ticks = reader.varint();
  const std::uint64_t origin_ticks = reader.varint();
  const std::uint64_t symbols = reader.varint();
  const std::uint64_t off_grid = reader.varint();
  if (step_ticks == 0 || step_ticks > kMaxClockStep || symbols == 0 || symbols > spans.size() ||
      off_grid > 2 * spans.size()) {
    return kMalformed;
  }
  const ClockGrid grid(step_ticks, origin_ticks);
  Columns columns;
  read_dictionary(reader, symbols, columns);
  const unsigned planes = symbol_bytes(symbols);
  columns.planes = reader.raw(planes * spans.size());
  columns.nibbles = reader.raw(spans.size());
  std::vector<std::uint32_t> positions(off_grid);
  if (reader.failed() || !read_positions(reader, 2 * spans.size(), positions)) {
    return kMalformed;
  }
  const std::span<const std::uint8_t> ticks = reader.raw(off_grid);
  if (reader.failed()) {
    return kMalformed;
  }
  const bool sound = planes == 1   ? read_spans<1>(columns, grid, reader, spans)
                     : planes == 2 ? read_spans<2>(columns, grid, reader, spans)
                                   : read_spans<4>(columns, grid, reader, spans);
  if (!sound || !reader.finished() || !read_off_grid(positions, ticks, grid, spans)) {
    return kMalformed;
  }
  return Unit{};
}

}  // namespace

Status decode_spans(std::span<const std::uint8_t> payload, std::uint32_t records,
                    std::vector<SpanRecord>& out) {
  if (records == 0 && payload.empty()) {
    return Unit{};
  }
  // Two bytes at least for each, which bounds what a hostile number can allocate.
  if (records == 0 || records > payload.size() / 2) {
    return kMalformed;
  }
  const std::size_t before = out.size();
  out.resize(before + records);
  ByteReader reader(payload);
  Status status = read_payload(reader, std::span(out).subspan(before));
  if (!status) {
    out.resize(before);
  }
  return status;
}

}  // namespace spyglass::format
