// SPDX-License-Identifier: Apache-2.0
// golden_text.h - compares text with a file of tests/unit.
//
// With SPYGLASS_ACCEPT set in the environment, differing files are rewritten instead; review them
// like code.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace spyglass::test {

inline void check_golden(const std::string& name, const std::string& text) {
  const std::string path = std::string(SPYGLASS_SOURCE_DIR) + "/tests/unit/" + name;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream expected;
  expected << file.rdbuf();
  if (expected.str() != text && std::getenv("SPYGLASS_ACCEPT") != nullptr) {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  INFO("golden file " << path);
  CHECK(text == expected.str());
}

}  // namespace spyglass::test
