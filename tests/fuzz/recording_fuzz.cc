// SPDX-License-Identifier: Apache-2.0
//
// A hostile recording, all the way from bytes to reports. Each input is read twice: as it is, which
// tries what finds and skips damage, and with every checksum made right, which lets the damage
// through to what decodes and adds up.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "analyzer/diff/diff_report.h"
#include "analyzer/diff/profile_diff.h"
#include "analyzer/model/profile_builder.h"
#include "analyzer/report/report.h"
#include "format/block.h"

namespace {

using namespace spyglass;  // NOLINT: this file is about nothing else
using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kLargestInput = 1U << 16U;

// Counts what is written, so that writing is not optimized away.
class CountingBuffer : public std::streambuf {
 protected:
  int overflow(int character) override {
    ++written_;
    return character;
  }
  std::streamsize xsputn(const char*, std::streamsize count) override {
    written_ += count;
    return count;
  }

 private:
  std::streamsize written_ = 0;
};

// Makes the file header and each block header that the input has, where one may stand, correct.
void repair(Bytes& file) {
  if (file.size() < sizeof(format::FileHeader)) return;
  format::FileHeader header{};
  std::memcpy(&header, file.data(), sizeof header);
  header = format::seal_file_header(header.uuid, header.started_unix_ns);
  std::memcpy(file.data(), &header, sizeof header);

  const std::uint64_t seed = format::block_seed(header);
  std::uint64_t sequence = 0;
  std::size_t offset = sizeof header;
  while (offset + sizeof(format::BlockHeader) <= file.size()) {
    format::BlockHeader block{};
    std::memcpy(&block, file.data() + offset, sizeof block);
    const std::size_t rest = file.size() - offset - sizeof block;
    const std::span stored(file.data() + offset + sizeof block,
                           std::min<std::size_t>(block.stored_bytes, rest));
    const format::BlockFields fields{block.kind,        block.codec,     block.raw_bytes,
                                     sequence++,        block.thread,    block.records,
                                     block.first_ticks, block.last_ticks};
    block = format::seal_header(fields, stored, seed);
    std::memcpy(file.data() + offset, &block, sizeof block);
    offset += format::block_bytes(block);
  }
}

void analyze(const Bytes& file) {
  const int descriptor = memfd_create("recording", MFD_CLOEXEC);
  if (descriptor < 0 || write(descriptor, file.data(), file.size()) < 0) std::abort();
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);

  ProfileOptions options;
  options.resolve_missing = false;
  if (const Result<Profile> profile = build_profile(path, options)) {
    CountingBuffer buffer;
    std::ostream out(&buffer);
    const TextStyle style;
    write_summary(out, style, *profile);
    write_functions(out, style, *profile, SortKey::kSelf, 0);
    write_tree(out, style, *profile, {});
    write_tree(out, style, *profile, {.weight = Weight::kSamples});
    write_threads(out, style, *profile, 0);
    write_waits(out, style, *profile, 0, false);
    write_locks(out, style, *profile, 0, false);
    write_io(out, style, *profile, 0, false);
    write_exceptions(out, style, *profile, 0, false);
    for (const MemoryView view :
         {MemoryView::kSummary, MemoryView::kPeak, MemoryView::kLeaks, MemoryView::kLifetime}) {
      write_memory(out, style, *profile, {view, 0, false, true});
    }
    if (!profile->functions.empty()) {
      write_callers(out, style, *profile, 0, {});
      write_callees(out, style, *profile, 0, {});
    }
    write_json(out, *profile, SortKey::kTotal, {});
    write_folded(out, *profile, true);
    if (!diff_profiles(*profile, *profile).empty()) std::abort();
  }
  options.from_spans = true;
  options.range = TimeRange{1e6, 2e9};
  options.heap_at_ns = 1e9;
  options.suppressions = {"main", "*lo*c$"};
  static_cast<void>(build_profile(path, options));
  close(descriptor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size) {
  if (size > kLargestInput) return 0;
  Bytes file(input, input + size);
  analyze(file);
  repair(file);
  analyze(file);
  return 0;
}
