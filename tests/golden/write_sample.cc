// SPDX-License-Identifier: Apache-2.0
//
// Writes the sample recordings with each codec. Run once for a new format version; what an older
// version wrote stays as it is.
//
// usage: write_sample FOLDER
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "tests/support/heap_script.h"
#include "tests/support/recording_builder.h"

namespace {

using spyglass::format::Codec;
using spyglass::tests::HeapScript;
using spyglass::tests::RecordingBuilder;

bool write(const std::string& path, const RecordingBuilder& recording) {
  const auto& bytes = recording.bytes();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  return file.good();
}

// Every kind of allocation record: two threads, a chain of reallocs, a leak, mappings, a fork.
RecordingBuilder heap_recording(Codec codec) {
  HeapScript script;
  script.compress_with(codec);
  script.get(1000, {"main", "load"}, 0x10000, 4096).get(2000, {"main", "parse"}, 0x20000, 24);
  script.move(3000, {"main", "grow"}, 0x20000, 0x30000, 48);
  script.map(4000, {"main"}, 0x7f0000000000, 1 << 20).unmap(5000, 0x7f0000010000, 1 << 16);
  script.get(6000, {"main", "forget"}, 0x20000, 100, "operator new").give(7000, 0x10000);
  script.on(2).give(8000, 0x30000).get(9000, {"worker"}, 0x40000, 16).give(9100, 0x40000);
  script.metric(script.node_of({"main", "load"}, {"malloc"}),
                spyglass::format::Metric::kAllocations, 1);
  script.resident(10'000, 2 << 20);
  script.fork(2, 3, 500'000, spyglass::format::ExitKind::kExited);
  script.give(100'000, 0x20000).get(110'000, {"child"}, 0x50000, 8, "calloc");
  return script.recording();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_sample FOLDER\n");
    return 2;
  }
  const std::string folder = argv[1];
  for (const auto& [codec, name] :
       {std::pair{Codec::kNone, "none"}, {Codec::kLz4, "lz4"}, {Codec::kZstd, "zstd"}}) {
    RecordingBuilder sample = spyglass::tests::sample_recording(codec);
    if (!write(folder + "/sample_" + name + ".sgz", sample.finish()) ||
        !write(folder + "/heap_" + name + ".sgz", heap_recording(codec))) {
      return 1;
    }
  }
}
