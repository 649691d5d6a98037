// SPDX-License-Identifier: Apache-2.0
// Unwinding tables of hostile files: finding them in an ELF image, and a rule in them.
//
// input := address (8 bytes) selector (1 byte) image; the selector's lowest bit says whether the
// image is an ELF file or a bare header followed by frames.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "recorder/unwind/cfi.h"

namespace {

using namespace spyglass::unwind;

// Steps over a small stack, as the collector does with a sampled one.
void step_with(const Rule& rule, std::uint64_t pc) {
  const std::uint64_t stack[8] = {pc, 0x1000, 0x1010, 0x1020, 0x1030, 0x1038, 0, pc};
  Registers registers = {pc, 0x1000, 0x1010, false};
  const auto read = [&](std::uint64_t address, std::uint64_t& value) {
    if (address < 0x1000 || address - 0x1000 > sizeof(stack) - sizeof(value)) {
      return false;
    }
    std::memcpy(&value, reinterpret_cast<const char*>(stack) + (address - 0x1000), sizeof(value));
    return true;
  };
  for (int i = 0; i < 16 && step(rule, registers, read) == Step::kCaller; ++i) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPrefix = 9;
  constexpr std::size_t kHeaderBytes = 20;  // with one row
  if (size < kPrefix) {
    return 0;
  }
  std::uint64_t pc = 0;
  std::memcpy(&pc, data, sizeof(pc));
  // A copy of its own, so that a read past the end is seen.
  const std::vector<std::uint8_t> image(data + kPrefix, data + size);
  const std::uint8_t* begin = image.data();
  const std::uint8_t* end = begin + image.size();
  Tables tables = {};
  if ((data[8] & 1U) != 0) {
    tables = tables_of(begin, end, Layout::kFile);
  } else {
    const std::uint8_t* middle = image.size() < kHeaderBytes ? end : begin + kHeaderBytes;
    tables = {{begin, middle, 0x1000}, {middle, end, 0x2000}};
  }
  step_with(find_rule(tables, pc), pc);
  has_entry(tables, pc + 1);
  return 0;
}
