// SPDX-License-Identifier: Apache-2.0
// codec_bench.cc - the span codec and the compressors alone, without a target or a disk.
//
// The streams are real ones, taken by span_hooks.c. Every block is coded, compressed and brought
// back; the best of several rounds counts, since strangers can only make a round slower.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "format/compression.h"
#include "format/records.h"
#include "format/sgz.h"
#include "format/span_codec.h"

namespace {

using spyglass::format::Codec;
using spyglass::format::SpanRecord;

constexpr std::size_t kSpansPerBlock = 64 << 10;

// All spans of a file that bench/span_hooks.c wrote.
std::vector<SpanRecord> read_spans(const char* path) {
  static_assert(sizeof(SpanRecord) == 24);
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) {
    std::perror(path);
    std::exit(2);
  }
  std::vector<SpanRecord> spans;
  SpanRecord span;
  while (std::fread(&span, sizeof span, 1, file) == 1) {
    spans.push_back(span);
  }
  std::fclose(file);
  return spans;
}

struct Cost {
  double encode_s = 0;
  double compress_s = 0;
  double decompress_s = 0;
  double decode_s = 0;
  std::size_t raw_bytes = 0;
  std::size_t stored_bytes = 0;
};

class Stopwatch {
 public:
  double lap_s() {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    begin_ = now;
    return seconds;
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

// One pass over the stream, block by block, there and back. Exits when the way back differs.
Cost measure(std::span<const SpanRecord> spans, Codec codec) {
  Cost cost;
  spyglass::format::Compressor compressor;
  std::vector<std::uint8_t> raw;
  std::vector<std::uint8_t> stored;
  std::vector<std::uint8_t> back;
  std::vector<SpanRecord> decoded;
  for (std::size_t at = 0; at < spans.size(); at += kSpansPerBlock) {
    const auto block = spans.subspan(at, std::min(kSpansPerBlock, spans.size() - at));
    raw.clear();
    decoded.clear();
    Stopwatch watch;
    spyglass::format::encode_spans(block, raw);
    cost.encode_s += watch.lap_s();
    const Codec used = compressor.compress(raw, codec, stored);
    cost.compress_s += watch.lap_s();
    const auto raw_bytes = static_cast<std::uint32_t>(raw.size());
    bool good = spyglass::format::decompress(stored, used, raw_bytes, back).has_value();
    cost.decompress_s += watch.lap_s();
    good = good &&
           spyglass::format::decode_spans(back, static_cast<std::uint32_t>(block.size()), decoded)
               .has_value();
    cost.decode_s += watch.lap_s();
    if (!good || !std::ranges::equal(block, decoded)) {
      std::fprintf(stderr, "codec_bench: block at span %zu does not come back\n", at);
      std::exit(1);
    }
    cost.raw_bytes += raw.size();
    cost.stored_bytes += stored.size();
  }
  return cost;
}

Cost best_of(std::span<const SpanRecord> spans, Codec codec, int rounds) {
  Cost best = measure(spans, codec);
  for (int round = 1; round < rounds; ++round) {
    const Cost cost = measure(spans, codec);
    best.encode_s = std::min(best.encode_s, cost.encode_s);
    best.compress_s = std::min(best.compress_s, cost.compress_s);
    best.decompress_s = std::min(best.decompress_s, cost.decompress_s);
    best.decode_s = std::min(best.decode_s, cost.decode_s);
  }
  return best;
}

void print_stream(const char* path, int rounds) {
  struct Choice {
    const char* name;
    Codec codec;
  };
  const std::vector<SpanRecord> spans = read_spans(path);
  const auto count = static_cast<double>(spans.size());
  const auto million_per_s = [count](double seconds) { return count / seconds / 1e6; };
  std::printf("%s: %.1f M spans; M spans/s each way\n", path, count / 1e6);
  std::printf("  %-5s %9s %9s %10s %10s %12s %10s\n", "codec", "B raw", "B stored", "encode",
              "compress", "decompress", "decode");
  for (const Choice choice :
       {Choice{"none", Codec::kNone}, Choice{"lz4", Codec::kLz4}, Choice{"zstd", Codec::kZstd}}) {
    const Cost cost = best_of(spans, choice.codec, rounds);
    std::printf("  %-5s %9.2f %9.2f %10.0f %10.0f %12.0f %10.0f\n", choice.name,
                static_cast<double>(cost.raw_bytes) / count,
                static_cast<double>(cost.stored_bytes) / count, million_per_s(cost.encode_s),
                million_per_s(cost.compress_s), million_per_s(cost.decompress_s),
                million_per_s(cost.decode_s));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: codec_bench ROUNDS SPANS_FILE...\n");
    return 2;
  }
  for (int i = 2; i < argc; ++i) {
    print_stream(argv[i], std::atoi(argv[1]));
  }
  return 0;
}
