// SPDX-License-Identifier: Apache-2.0
//
// Writes the sample recording with each codec. Run once for a new format version; what an older
// version wrote stays as it is.
//
// usage: write_sample FOLDER
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "tests/support/recording_builder.h"

int main(int argc, char** argv) {
  using spyglass::format::Codec;
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_sample FOLDER\n");
    return 2;
  }
  for (const auto& [codec, name] :
       {std::pair{Codec::kNone, "none"}, {Codec::kLz4, "lz4"}, {Codec::kZstd, "zstd"}}) {
    spyglass::tests::RecordingBuilder recording = spyglass::tests::sample_recording(codec);
    const auto& bytes = recording.finish().bytes();
    std::ofstream file(std::string(argv[1]) + "/sample_" + name + ".sgz", std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    if (!file) return 1;
  }
}
