// SPDX-License-Identifier: Apache-2.0
// What it costs to look up the frames at instructions of one file, as the collector does it when it
// closes a recording: in ascending order, with inlined functions, files and lines.
//
//   usage: symbol_bench FILE SITES [DISTANCE]
//
// Looks up one instruction in DISTANCE bytes of the file's functions (16), SITES at most, spread
// over all of the file. Prints "name value unit" lines, and a checksum of all that was found, for
// comparing two versions.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "symbols/elf_symbols.h"

namespace {

using namespace spyglass;

std::vector<std::uint64_t> places_in(ElfSymbols& symbols, std::uint64_t distance) {
  std::vector<std::uint64_t> places;
  for (const FunctionRange& function : symbols.functions()) {
    for (std::uint64_t at = function.start; at < function.end; at += distance) {
      places.push_back(at + 3 < function.end ? at + 3 : at);
    }
  }
  return places;
}

std::vector<std::uint64_t> spread(const std::vector<std::uint64_t>& places, std::size_t most) {
  if (places.size() <= most) {
    return places;
  }
  std::vector<std::uint64_t> chosen;
  for (std::size_t i = 0; i < most; ++i) {
    chosen.push_back(places[i * places.size() / most]);
  }
  return chosen;
}

void mix(std::uint64_t value, std::uint64_t& sum) { sum = (sum ^ value) * 0x100000001b3ULL; }

void mix(const std::vector<format::FrameInfo>& frames, std::uint64_t& sum) {
  mix(frames.size(), sum);
  for (const format::FrameInfo& frame : frames) {
    mix(std::hash<std::string>{}(frame.function), sum);
    mix(std::hash<std::string>{}(frame.file), sum);
    mix(frame.line, sum);
    mix(frame.at_line, sum);
    mix(frame.inlined ? 1 : 0, sum);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: symbol_bench FILE SITES [DISTANCE]\n", stderr);
    return 2;
  }
  auto names = ElfSymbols::open(argv[1], {});
  if (!names) {
    std::fprintf(stderr, "symbol_bench: %s\n", names.error().what.c_str());
    return 1;
  }
  const std::uint64_t distance = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 16;
  const auto places =
      spread(places_in(*names, distance == 0 ? 1 : distance), std::strtoull(argv[2], nullptr, 10));
  std::uint64_t sum = 0xcbf29ce484222325ULL;
  std::uint64_t frames = 0;
  const auto start = std::chrono::steady_clock::now();
  auto symbols = ElfSymbols::open(argv[1], {});  // a fresh one: opening is part of it
  for (const std::uint64_t place : places) {
    const auto found = symbols->frames_at(place);
    frames += found.size();
    mix(found, sum);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  const auto sites = static_cast<double>(places.size());
  std::printf("symbols.sites %zu sites\n", places.size());
  std::printf("symbols.frames %llu frames\n", static_cast<unsigned long long>(frames));
  std::printf("symbols.time %.3f s\n", took.count());
  std::printf("symbols.per_site %.2f us\n", sites > 0 ? took.count() * 1e6 / sites : 0);
  std::printf("symbols.checksum %016llx\n", static_cast<unsigned long long>(sum));
  return 0;
}
